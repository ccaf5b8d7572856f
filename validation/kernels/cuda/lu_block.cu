// LU decomposition of a 32 x 32 block in shared memory; ever fewer threads have work.
constexpr int n = 32;

extern "C" __global__ void lu_block(float *matrices)
{
    __shared__ float a[n][n + 1];
    float *mine = matrices + blockIdx.x * n * n;
    int t = threadIdx.x;
    for (int row = 0; row < n; row++)
        a[row][t] = mine[row * n + t];
    __syncwarp();
    for (int k = 0; k < n - 1; k++) {
        if (t > k) {
            a[t][k] /= a[k][k];
            for (int column = k + 1; column < n; column++)
                a[t][column] -= a[t][k] * a[k][column];
        }
        __syncwarp();
    }
    for (int row = 0; row < n; row++)
        mine[row * n + t] = a[row][t];
}
