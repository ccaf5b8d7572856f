// Squares of 128-bit numbers, 256 bits wide, from 32-bit limbs with carries.
constexpr int limbs = 4;

extern "C" __global__ void wide_product(int n, const unsigned *in, unsigned *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned a[limbs], product[2 * limbs] = {};
    for (int j = 0; j < limbs; j++)
        a[j] = in[i * limbs + j];
    for (int j = 0; j < limbs; j++) {
        unsigned carry = 0;
        for (int k = 0; k < limbs; k++) {
            unsigned long long sum = (unsigned long long)a[j] * a[k] + product[j + k] + carry;
            product[j + k] = sum;
            carry = sum >> 32;
        }
        product[j + limbs] = carry;
    }
    for (int j = 0; j < 2 * limbs; j++)
        out[i * 2 * limbs + j] = product[j];
}
