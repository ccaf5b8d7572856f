// One chain of dependent FFMAs per thread: bound by their latency.
extern "C" __global__ void ffma_chain(int steps, float a, float b, float *x)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float value = x[i];
#pragma unroll 16
    for (int step = 0; step < steps; step++)
        value = value * a + b;
    x[i] = value;
}
