// y = a x for a sparse matrix in CSR form, one thread per row: rows of a warp differ in length.
extern "C" __global__ void spmv_rows(int rows, const int *starts, const int *columns,
                                     const float *values, const float *x, float *y)
{
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows)
        return;
    float sum = 0.0f;
    for (int i = starts[row]; i < starts[row + 1]; i++)
        sum += values[i] * x[columns[i]];
    y[row] = sum;
}
