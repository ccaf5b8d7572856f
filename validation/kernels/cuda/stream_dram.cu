// An array read once, 128 bits at a time: bound by memory.
extern "C" __global__ void stream_dram(int n, const int4 *in, int *sums)
{
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
    int sum = 0;
#pragma unroll 4
    for (int i = thread; i < n; i += gridDim.x * blockDim.x)
        sum += in[i].x ^ in[i].y ^ in[i].z ^ in[i].w;
    sums[thread] = sum;
}
