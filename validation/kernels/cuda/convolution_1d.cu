// A filter of 17 taps in constant memory over a signal, staged in shared memory with its halo.
constexpr int radius = 8;
constexpr int block = 128;
__constant__ float taps[2 * radius + 1] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2, 1};

extern "C" __global__ void convolution_1d(int n, const float *in, float *out)
{
    __shared__ float staged[block + 2 * radius];
    int start = blockIdx.x * block - radius;
    for (int k = threadIdx.x; k < block + 2 * radius; k += block)
        staged[k] = start + k >= 0 && start + k < n ? in[start + k] : 0.0f;
    __syncthreads();
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k <= 2 * radius; k++)
        sum += taps[k] * staged[threadIdx.x + k];
    int i = blockIdx.x * block + threadIdx.x;
    if (i < n)
        out[i] = sum;
}
