// Fast sine, exponential, logarithm, reciprocal and reciprocal root: the special-function unit.
extern "C" __global__ void special_functions(int n, const float *x, float *y)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float v = x[i];
    y[i] = __sinf(v) + __expf(-v) + __logf(v) + __frcp_rn(v) + rsqrtf(v);
}
