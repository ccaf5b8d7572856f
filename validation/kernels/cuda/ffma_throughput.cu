// Eight independent chains of FFMAs per thread: bound by the rate of the FMA pipe.
constexpr int chains = 8;

extern "C" __global__ void ffma_throughput(int steps, float a, float b, float *x)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float values[chains];
    for (int c = 0; c < chains; c++)
        values[c] = x[i] + c;
#pragma unroll 8
    for (int step = 0; step < steps; step++) {
        for (int c = 0; c < chains; c++)
            values[c] = values[c] * a + b;
    }
    float sum = 0.0f;
    for (int c = 0; c < chains; c++)
        sum += values[c];
    x[i] = sum;
}
