// Sum of each block's elements: a tree in shared memory, half the threads at every level.
constexpr int block_size = 256;

extern "C" __global__ void reduction(int n, const float *input, float *sums)
{
    __shared__ float partial[block_size];
    int t = threadIdx.x;
    int i = blockIdx.x * block_size + t;
    partial[t] = i < n ? input[i] : 0.0f;
    for (int half = block_size / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half)
            partial[t] += partial[t + half];
    }
    if (t == 0)
        sums[blockIdx.x] = partial[0];
}
