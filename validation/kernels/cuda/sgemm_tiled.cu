// c = a b for square row-major matrices: 16 x 16 tiles of both in shared memory.
constexpr int tile = 16;

extern "C" __global__ void sgemm_tiled(int n, const float *a, const float *b, float *c)
{
    __shared__ float tile_a[tile][tile];
    __shared__ float tile_b[tile][tile];
    int x = threadIdx.x, y = threadIdx.y;
    int column = blockIdx.x * tile + x;
    int row = blockIdx.y * tile + y;
    float sum = 0.0f;
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
