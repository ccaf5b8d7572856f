// Five-point stencil on tiles with a halo in shared memory.
constexpr int tile = 16;

extern "C" __global__ void stencil_2d_tiled(int width, int height, const float *in, float *out)
{
    __shared__ float staged[tile + 2][tile + 2];
    int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
    int x = blockIdx.x * tile + tx, y = blockIdx.y * tile + ty; // of an interior point
    int i = y * width + x;
    staged[ty][tx] = in[i];
    if (tx == 1)
        staged[ty][0] = in[i - 1];
    if (tx == tile)
        staged[ty][tile + 1] = in[i + 1];
    if (ty == 1)
        staged[0][tx] = in[i - width];
    if (ty == tile)
        staged[tile + 1][tx] = in[i + width];
    __syncthreads();
    float sides = staged[ty][tx - 1] + staged[ty][tx + 1];
    float ends = staged[ty - 1][tx] + staged[ty + 1][tx];
    out[i] = 0.5f * staged[ty][tx] + 0.125f * (sides + ends);
}
