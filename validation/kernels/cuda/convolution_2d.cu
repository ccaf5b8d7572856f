// A 5 x 5 filter over an image; weights are read by all lanes at once, edges count as zero.
constexpr int radius = 2;
constexpr int side = 2 * radius + 1;

extern "C" __global__ void convolution_2d(int width, int height, const float *weights,
                                          const float *in, float *out)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    float sum = 0.0f;
    for (int j = 0; j < side; j++) {
        for (int i = 0; i < side; i++) {
            int u = x + i - radius, v = y + j - radius;
            if (u >= 0 && v >= 0 && u < width && v < height)
                sum += weights[j * side + i] * in[v * width + u];
        }
    }
    out[y * width + x] = sum;
}
