// Tridiagonal systems by parallel cyclic reduction, one system per block, in shared memory.
constexpr int n = 128;

extern "C" __global__ void tridiagonal(const float *lower, const float *diagonal,
                                       const float *upper, const float *right, float *x)
{
    __shared__ float a[n], b[n], c[n], d[n];
    int t = threadIdx.x, i = blockIdx.x * n + t;
    a[t] = lower[i];
    b[t] = diagonal[i];
    c[t] = upper[i];
    d[t] = right[i];
    for (int distance = 1; distance < n; distance *= 2) {
        __syncthreads();
        int low = max(t - distance, 0), high = min(t + distance, n - 1);
        float from_low = t >= distance ? -a[t] / b[low] : 0.0f;
        float from_high = t + distance < n ? -c[t] / b[high] : 0.0f;
        float new_a = from_low * a[low], new_c = from_high * c[high];
        float new_b = b[t] + from_low * c[low] + from_high * a[high];
        float new_d = d[t] + from_low * d[low] + from_high * d[high];
        __syncthreads();
        a[t] = new_a;
        b[t] = new_b;
        c[t] = new_c;
        d[t] = new_d;
    }
    x[i] = d[t] / b[t];
}
