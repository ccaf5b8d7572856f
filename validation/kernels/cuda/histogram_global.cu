// Counts of small integers with one atomic on global memory per element.
extern "C" __global__ void histogram_global(int n, const int *values, int *counts)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        atomicAdd(&counts[values[i]], 1);
}
