// One column of a Gaussian elimination without pivoting: multipliers, then the trailing matrix.
extern "C" __global__ void multipliers(int n, int k, float *a)
{
    int row = k + 1 + blockIdx.x * blockDim.x + threadIdx.x;
    if (row < n)
        a[row * n + k] /= a[k * n + k];
}

extern "C" __global__ void eliminate(int n, int k, float *a)
{
    int column = k + 1 + blockIdx.x * blockDim.x + threadIdx.x;
    int row = k + 1 + blockIdx.y * blockDim.y + threadIdx.y;
    if (row < n && column < n)
        a[row * n + column] -= a[row * n + k] * a[k * n + column];
}
