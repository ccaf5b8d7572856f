// Cheapest way down a grid, several rows per launch: a block keeps its part of a row in shared
// memory and computes a margin twice so that it needs no other block.
constexpr int block = 128;

extern "C" __global__ void path_grid(int width, int first_row, int rows, const int *cost,
                                     const int *in, int *out)
{
    __shared__ int row[2][block];
    int t = threadIdx.x, inner = block - 2 * rows;
    int x = blockIdx.x * inner + t - rows;
    bool inside = x >= 0 && x < width;
    int from = 0;
    row[0][t] = inside ? in[x] : 1 << 30;
    for (int k = 0; k < rows; k++) {
        __syncthreads();
        int best = row[from][t];
        best = min(best, row[from][max(t - 1, 0)]);
        best = min(best, row[from][min(t + 1, block - 1)]);
        row[1 - from][t] = inside ? best + cost[(first_row + k) * width + x] : 1 << 30;
        from = 1 - from;
    }
    if (inside && t >= rows && t < block - rows)
        out[x] = row[from][t];
}
