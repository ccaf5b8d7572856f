// Points of a xorshift generator that fall into the quarter circle, counted per thread.
extern "C" __global__ void monte_carlo_pi(int points, const unsigned *seeds, unsigned *inside)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned state = seeds[i], count = 0;
    for (int k = 0; k < points; k++) {
        unsigned coordinates[2];
        for (int axis = 0; axis < 2; axis++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            coordinates[axis] = state >> 16;
        }
        unsigned long long x = coordinates[0], y = coordinates[1];
        count += x * x + y * y < 1ull << 32;
    }
    inside[i] = count;
}
