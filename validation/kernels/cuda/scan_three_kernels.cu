// Inclusive prefix sums: each block by warp shuffles, then the blocks' totals, then their addition.
constexpr int block = 256;

__device__ int scan_warp(int value)
{
    for (int distance = 1; distance < 32; distance *= 2) {
        int other = __shfl_up_sync(0xffffffff, value, distance);
        if (threadIdx.x % 32 >= distance)
            value += other;
    }
    return value;
}

extern "C" __global__ void scan_blocks(int n, const int *in, int *out, int *totals)
{
    __shared__ int warps[block / 32];
    int i = blockIdx.x * block + threadIdx.x, warp = threadIdx.x / 32;
    int value = scan_warp(i < n ? in[i] : 0);
    if (threadIdx.x % 32 == 31)
        warps[warp] = value;
    __syncthreads();
    if (warp == 0) {
        int total = scan_warp(threadIdx.x < block / 32 ? warps[threadIdx.x] : 0);
        if (threadIdx.x < block / 32)
            warps[threadIdx.x] = total;
    }
    __syncthreads();
    if (warp > 0)
        value += warps[warp - 1];
    if (i < n)
        out[i] = value;
    if (threadIdx.x == block - 1)
        totals[blockIdx.x] = value;
}

extern "C" __global__ void scan_totals(int blocks, int *totals)
{
    int value = scan_warp(threadIdx.x < blocks ? totals[threadIdx.x] : 0);
    if (threadIdx.x < blocks)
        totals[threadIdx.x] = value;
}

extern "C" __global__ void add_totals(int n, const int *totals, int *out)
{
    int i = blockIdx.x * block + threadIdx.x;
    if (blockIdx.x > 0 && i < n)
        out[i] += totals[blockIdx.x - 1];
}
