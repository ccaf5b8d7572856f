// Quotients and square roots in double precision: library sequences around MUFU and DFMA.
extern "C" __global__ void double_division(int n, const double *a, const double *b,
                                           double *quotient, double *root)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    quotient[i] = a[i] / b[i];
    root[i] = sqrt(b[i]);
}
