// y = a x, one warp per row.
extern "C" __global__ void gemv(int rows, int columns, const float *a, const float *x, float *y)
{
    int lane = threadIdx.x % 32, row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (row >= rows)
        return;
    float sum = 0.0f;
    for (int i = lane; i < columns; i += 32)
        sum += a[row * columns + i] * x[i];
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_down_sync(0xffffffff, sum, distance);
    if (lane == 0)
        y[row] = sum;
}
