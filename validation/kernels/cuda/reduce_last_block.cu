// Largest element in one launch: the block that finishes last reduces what all blocks found.
constexpr int block = 128;

__device__ int largest(int value)
{
    __shared__ int partial[block];
    partial[threadIdx.x] = value;
#pragma unroll 1
    for (int half = block / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            partial[threadIdx.x] = max(partial[threadIdx.x], partial[threadIdx.x + half]);
    }
    __syncthreads();
    return partial[0];
}

extern "C" __global__ void reduce_last_block(int n, const int *values, volatile int *found,
                                             unsigned *finished, int *result)
{
    __shared__ bool is_last;
    int best = values[0];
    for (int i = blockIdx.x * block + threadIdx.x; i < n; i += gridDim.x * block)
        best = max(best, values[i]);
    best = largest(best);
    if (threadIdx.x == 0) {
        found[blockIdx.x] = best;
        __threadfence();
        is_last = atomicAdd(finished, 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!is_last)
        return;
    best = largest(threadIdx.x < gridDim.x ? found[threadIdx.x] : values[0]);
    if (threadIdx.x == 0)
        *result = best;
}
