// Transpose through padded shared memory: coalesced on both sides and free of bank conflicts.
constexpr int tile = 32;
constexpr int rows = 8; // of the block; each thread moves tile / rows elements

extern "C" __global__ void transpose_tiled(int width, int height, const float *in, float *out)
{
    __shared__ float staged[tile][tile + 1];
    int x = blockIdx.x * tile + threadIdx.x;
    int y = blockIdx.y * tile + threadIdx.y;
    for (int j = 0; j < tile; j += rows)
        staged[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
    __syncthreads();
    x = blockIdx.y * tile + threadIdx.x;
    y = blockIdx.x * tile + threadIdx.y;
    for (int j = 0; j < tile; j += rows)
        out[(y + j) * height + x] = staged[threadIdx.x][threadIdx.y + j];
}
