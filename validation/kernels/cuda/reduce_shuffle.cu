// Sum of an array: each warp by shuffles, each block through shared memory, blocks by one atomic.
extern "C" __global__ void reduce_shuffle(int n, const int *values, int *total)
{
    __shared__ int warps[32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        sum += values[i];
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, distance);
    if (lane == 0)
        warps[warp] = sum;
    __syncthreads();
    if (warp > 0)
        return;
    sum = lane < blockDim.x / 32 ? warps[lane] : 0;
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, distance);
    if (lane == 0)
        atomicAdd(total, sum);
}
