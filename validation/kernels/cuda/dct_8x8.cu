// Discrete cosine transform of 8 x 8 pixel blocks, rows and then columns through shared memory.
constexpr int side = 8;

extern "C" __global__ void dct_8x8(int width, const float *basis, const float *in, float *out)
{
    __shared__ float pixels[side][side + 1], rows[side][side + 1];
    int x = threadIdx.x, y = threadIdx.y;
    int i = (blockIdx.y * side + y) * width + blockIdx.x * side + x;
    pixels[y][x] = in[i];
    __syncthreads();
    float sum = 0.0f;
    for (int k = 0; k < side; k++)
        sum += pixels[y][k] * basis[x * side + k];
    rows[y][x] = sum;
    __syncthreads();
    sum = 0.0f;
    for (int k = 0; k < side; k++)
        sum += basis[y * side + k] * rows[k][x];
    out[i] = sum;
}
