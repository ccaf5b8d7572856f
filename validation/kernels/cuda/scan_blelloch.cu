// Exclusive prefix sums of each block's elements: up and down a tree in dynamic shared memory.
extern __shared__ int tree[];

extern "C" __global__ void scan_blelloch(const int *in, int *out)
{
    int t = threadIdx.x, n = 2 * blockDim.x, first = blockIdx.x * n;
    tree[t] = in[first + t];
    tree[t + blockDim.x] = in[first + t + blockDim.x];
    int distance = 1;
    for (int active = n / 2; active > 0; active /= 2, distance *= 2) {
        __syncthreads();
        if (t < active)
            tree[distance * (2 * t + 2) - 1] += tree[distance * (2 * t + 1) - 1];
    }
    if (t == 0)
        tree[n - 1] = 0;
    for (int active = 1; active < n; active *= 2) {
        distance /= 2;
        __syncthreads();
        if (t < active) {
            int low = distance * (2 * t + 1) - 1, high = distance * (2 * t + 2) - 1;
            int left = tree[low];
            tree[low] = tree[high];
            tree[high] += left;
        }
    }
    __syncthreads();
    out[first + t] = tree[t];
    out[first + t + blockDim.x] = tree[t + blockDim.x];
}
