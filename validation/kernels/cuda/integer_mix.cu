// Multiply, add, shift, rotate and logic on 32-bit integers.
extern "C" __global__ void integer_mix(int steps, unsigned *x)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned a = x[i], b = i;
#pragma unroll 4
    for (int step = 0; step < steps; step++) {
        a = a * 1664525u + 1013904223u;
        b ^= a >> 7;
        b = (b << 13) | (b >> 19);
        a += (a & b) | step;
        b += max(a, b);
    }
    x[i] = a ^ b;
}
