// SHA-256 of messages that fit one block: 64 rounds of logic, rotations and adds, unrolled by 16.
__device__ unsigned rotate(unsigned x, int by)
{
    return x >> by | x << (32 - by);
}

extern "C" __global__ void sha256(int n, const unsigned *blocks, const unsigned *constants,
                                  const unsigned *start, unsigned *digests)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned w[16], s[8];
    for (int k = 0; k < 16; k++)
        w[k] = __byte_perm(blocks[i * 16 + k], 0, 0x0123);
    for (int k = 0; k < 8; k++)
        s[k] = start[k];
#pragma unroll 1
    for (int round = 0; round < 64; round += 16) {
#pragma unroll
        for (int k = 0; k < 16; k++) {
            unsigned e = s[4], a = s[0];
            unsigned choice = (e & s[5]) ^ (~e & s[6]);
            unsigned majority = (a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]);
            unsigned sum_e = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
            unsigned sum_a = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
            unsigned first = s[7] + sum_e + choice + constants[round + k] + w[k];
            for (int j = 7; j > 0; j--)
                s[j] = s[j - 1];
            s[4] += first;
            s[0] = first + sum_a + majority;
            unsigned near = w[(k + 1) % 16], far = w[(k + 14) % 16];
            w[k] += w[(k + 9) % 16] + (rotate(near, 7) ^ rotate(near, 18) ^ near >> 3) +
                    (rotate(far, 17) ^ rotate(far, 19) ^ far >> 10);
        }
    }
    for (int k = 0; k < 8; k++)
        digests[i * 8 + k] = __byte_perm(s[k] + start[k], 0, 0x0123);
}
