// Layer normalisation, a block per row: mean and variance by shuffles and shared memory.
__device__ float sum_of_block(float value)
{
    __shared__ float warps[32];
    for (int distance = 16; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffff, value, distance);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0.0f;
    for (int warp = 0; warp < blockDim.x / 32; warp++)
        sum += warps[warp];
    return sum;
}

extern "C" __global__ void layer_norm(int columns, const float *in, const float *scale,
                                      const float *shift, float *out)
{
    const float *x = in + blockIdx.x * columns;
    float sum = 0.0f, squares = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        sum += x[i];
    float mean = sum_of_block(sum) / columns;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        squares += (x[i] - mean) * (x[i] - mean);
    float factor = rsqrtf(sum_of_block(squares) / columns + 1e-5f);
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        out[blockIdx.x * columns + i] = (x[i] - mean) * factor * scale[i] + shift[i];
}
