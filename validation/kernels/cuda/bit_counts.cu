// Ones, leading zeros, reversal and byte order of words: the instructions made for bits.
extern "C" __global__ void bit_counts(int n, const unsigned *x, int *ones, int *zeros,
                                      unsigned *reversed, unsigned *swapped)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    ones[i] = __popc(x[i]);
    zeros[i] = __clz(x[i]);
    reversed[i] = __brev(x[i]);
    swapped[i] = __byte_perm(x[i], 0, 0x0123);
}
