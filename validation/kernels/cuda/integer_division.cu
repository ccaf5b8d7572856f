// Quotients and remainders by divisors that are known only at run time, 32 and 64 bits wide.
extern "C" __global__ void integer_division(int n, const int *a, const int *b, const long long *c,
                                            int *quotients, int *remainders, long long *wide)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    quotients[i] = a[i] / b[i];
    remainders[i] = a[i] % b[i];
    wide[i] = c[i] / b[i];
}
