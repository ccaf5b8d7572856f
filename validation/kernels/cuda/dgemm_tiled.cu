// c = a b in double precision: 16 x 16 tiles of both in shared memory.
constexpr int tile = 16;

extern "C" __global__ void dgemm_tiled(int n, const double *a, const double *b, double *c)
{
    __shared__ double tile_a[tile][tile];
    __shared__ double tile_b[tile][tile];
    int x = threadIdx.x, y = threadIdx.y;
    int column = blockIdx.x * tile + x, row = blockIdx.y * tile + y;
    double sum = 0.0;
    for (int start = 0; start < n; start += tile) {
        tile_a[y][x] = a[row * n + start + x];
        tile_b[y][x] = b[(start + y) * n + column];
        __syncthreads();
        for (int k = 0; k < tile; k++)
            sum += tile_a[y][k] * tile_b[k][x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}
