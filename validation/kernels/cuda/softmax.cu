// Softmax of rows, a warp for each: largest element, exponentials, sum, division.
extern "C" __global__ void softmax(int rows, int columns, const float *in, float *out)
{
    int lane = threadIdx.x % 32, row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (row >= rows)
        return;
    const float *x = in + row * columns;
    float largest = -1e30f, sum = 0.0f;
    for (int i = lane; i < columns; i += 32)
        largest = fmaxf(largest, x[i]);
    for (int distance = 16; distance > 0; distance /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffff, largest, distance));
    for (int i = lane; i < columns; i += 32)
        sum += __expf(x[i] - largest);
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
    for (int i = lane; i < columns; i += 32)
        out[row * columns + i] = __expf(x[i] - largest) / sum;
}
