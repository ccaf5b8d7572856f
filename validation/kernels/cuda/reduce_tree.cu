// Sum of each block's elements: a tree in shared memory, half the threads at every level.
constexpr int block = 256;

extern "C" __global__ void reduce_tree(int n, const float *values, float *sums)
{
    __shared__ float partial[block];
    int t = threadIdx.x, i = blockIdx.x * block + t;
    partial[t] = i < n ? values[i] : 0.0f;
    for (int half = block / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half)
            partial[t] += partial[t + half];
    }
    if (t == 0)
        sums[blockIdx.x] = partial[0];
}
