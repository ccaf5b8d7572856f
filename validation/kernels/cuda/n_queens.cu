// Solutions of the queens problem: a thread per place of two queens, then backtracking on bits.
extern "C" __global__ void n_queens(int n, int *solutions)
{
    int first = threadIdx.x / n, second = threadIdx.x % n;
    if (first >= n || first - second == 1 || second - first == 1 || first == second)
        return;
    unsigned all = (1u << n) - 1;
    unsigned columns[16], falling[16], rising[16], open[16];
    unsigned a = 1u << first, b = 1u << second;
    int depth = 2, count = 0;
    columns[2] = a | b;
    falling[2] = (a << 2 | b << 1) & all;
    rising[2] = a >> 2 | b >> 1;
    open[2] = all & ~(columns[2] | falling[2] | rising[2]);
    while (depth >= 2) {
        unsigned place = open[depth] & -open[depth];
        if (place == 0) {
            depth--;
            continue;
        }
        open[depth] ^= place;
        if (depth == n - 1) {
            count++;
            continue;
        }
        columns[depth + 1] = columns[depth] | place;
        falling[depth + 1] = (falling[depth] | place) << 1 & all;
        rising[depth + 1] = (rising[depth] | place) >> 1;
        depth++;
        open[depth] = all & ~(columns[depth] | falling[depth] | rising[depth]);
    }
    atomicAdd(solutions, count);
}
