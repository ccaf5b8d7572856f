// Alignment scores of 32 x 32 letters, one warp per pair, along anti-diagonals in shared memory.
constexpr int n = 32;

extern "C" __global__ void needleman_wunsch(int match, int mismatch, int gap,
                                            const unsigned char *left, const unsigned char *right,
                                            int *scores)
{
    __shared__ int table[n + 1][n + 1];
    int t = threadIdx.x;
    unsigned char mine = left[blockIdx.x * n + t];
    table[0][t + 1] = gap * (t + 1);
    table[t + 1][0] = gap * (t + 1);
    if (t == 0)
        table[0][0] = 0;
    for (int diagonal = 0; diagonal < 2 * n - 1; diagonal++) {
        __syncwarp();
        int column = diagonal - t;
        if (column < 0 || column >= n)
            continue;
        int pair = mine == right[blockIdx.x * n + column] ? match : mismatch;
        int best = table[t][column] + pair;
        best = max(best, table[t][column + 1] + gap);
        table[t + 1][column + 1] = max(best, table[t + 1][column] + gap);
    }
    __syncwarp();
    for (int row = 0; row < n; row++)
        scores[(blockIdx.x * n + row) * n + t] = table[row + 1][t + 1];
}
