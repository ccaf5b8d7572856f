// Median of three by three pixels by a network of minima and maxima.
__device__ void order(int &low, int &high)
{
    int smaller = min(low, high);
    high = max(low, high);
    low = smaller;
}

extern "C" __global__ void median_filter(int width, int height, const unsigned char *in,
                                         unsigned char *out)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < 1 || y < 1 || x >= width - 1 || y >= height - 1)
        return;
    int p[9];
    for (int k = 0; k < 9; k++)
        p[k] = in[(y + k / 3 - 1) * width + x + k % 3 - 1];
    for (int row = 0; row < 9; row += 3) { // sort the rows
        order(p[row], p[row + 1]);
        order(p[row + 1], p[row + 2]);
        order(p[row], p[row + 1]);
    }
    int low = max(max(p[0], p[3]), p[6]); // the largest of the rows' minima
    int high = min(min(p[2], p[5]), p[8]); // the smallest of the rows' maxima
    order(p[1], p[4]);
    int middle = max(p[1], min(p[4], p[7])); // the median of the rows' medians
    out[y * width + x] = max(min(low, high), min(max(low, high), middle));
}
