// Loads whose neighbours are `stride` words apart: from one sector for eight lanes to one for each.
extern "C" __global__ void strided_loads(int n, int stride, const int *in, int *sums)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int sum = 0;
    for (int k = 0; k < 8; k++)
        sum += in[(i * stride + k) % n];
    sums[i] = sum;
}
