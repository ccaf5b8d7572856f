// Shared memory read with a stride in words: `stride` lanes meet in each of the banks they use.
constexpr int words = 1024;

extern "C" __global__ void bank_conflicts(int stride, int steps, int *out)
{
    __shared__ volatile int data[words];
    for (int i = threadIdx.x; i < words; i += blockDim.x)
        data[i] = i * 7;
    __syncthreads();
    int place = threadIdx.x * stride, sum = 0;
    for (int step = 0; step < steps; step++)
        sum += data[(place + step) % words];
    out[threadIdx.x] = sum;
}
