// A dense layer with bias and GELU, a thread per output: the epilogue that frameworks fuse.
extern "C" __global__ void perceptron(int inputs, int outputs, const float *weights,
                                      const float *bias, const float *in, float *out)
{
    int unit = blockIdx.x * blockDim.x + threadIdx.x;
    int sample = blockIdx.y;
    if (unit >= outputs)
        return;
    float sum = bias[unit];
    for (int k = 0; k < inputs; k++)
        sum += in[sample * inputs + k] * weights[k * outputs + unit];
    out[sample * outputs + unit] = 0.5f * sum * (1.0f + erff(0.70710678f * sum));
}
