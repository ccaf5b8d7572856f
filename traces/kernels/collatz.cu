// Steps of the Collatz sequence from i + 1 down to 1: every lane has its own trip counts.
extern "C" __global__ void collatz(int n, int *steps)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned value = i + 1;
    int count = 0;
    while (value != 1) {
        if (value % 2 == 0) {
            do {
                value /= 2;
                count++;
            } while (value % 2 == 0);
        } else {
            value = 3 * value + 1;
            count++;
        }
    }
    steps[i] = count;
}
