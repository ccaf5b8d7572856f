// Complex FFT of 256 points per block in shared memory: bit reversal, then eight butterfly levels.
constexpr int n = 256;
constexpr int levels = 8;

extern "C" __global__ void fft_radix2(const float2 *in, float2 *out)
{
    __shared__ float2 data[n];
    int t = threadIdx.x; // n / 2 threads
    for (int k = t; k < n; k += n / 2)
        data[__brev(k) >> (32 - levels)] = in[blockIdx.x * n + k];
    for (int half = 1; half < n; half *= 2) {
        __syncthreads();
        int low = t / half * 2 * half + t % half, high = low + half;
        float sine, cosine;
        sincospif(-(float)(t % half) / half, &sine, &cosine);
        float2 a = data[low], b = data[high];
        float2 turned = make_float2(b.x * cosine - b.y * sine, b.x * sine + b.y * cosine);
        data[low] = make_float2(a.x + turned.x, a.y + turned.y);
        data[high] = make_float2(a.x - turned.x, a.y - turned.y);
    }
    __syncthreads();
    for (int k = t; k < n; k += n / 2)
        out[blockIdx.x * n + k] = data[k];
}
