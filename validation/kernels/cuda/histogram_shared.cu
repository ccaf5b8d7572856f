// Counts of byte values: atomics on shared memory, then one per bin and block on global memory.
constexpr int bins = 256;

extern "C" __global__ void histogram_shared(int n, const unsigned char *values, unsigned *counts)
{
    __shared__ unsigned local[bins];
    for (int bin = threadIdx.x; bin < bins; bin += blockDim.x)
        local[bin] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&local[values[i]], 1);
    __syncthreads();
    for (int bin = threadIdx.x; bin < bins; bin += blockDim.x)
        atomicAdd(&counts[bin], local[bin]);
}
