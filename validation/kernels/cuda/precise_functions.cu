// Sine, power, error function and arc tangent from the math library, without fast math.
extern "C" __global__ void precise_functions(int n, const float *x, float *y)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float v = x[i];
    y[i] = sinf(v) + powf(v, 1.7f) + erff(v) + atan2f(v, 2.0f);
}
