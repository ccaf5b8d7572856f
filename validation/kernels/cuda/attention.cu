// One attention head with a running softmax: a thread per query, keys and values in shared memory.
constexpr int width = 16;
constexpr int tile = 32;

extern "C" __global__ void attention(int n, float scale, const float *queries, const float *keys,
                                     const float *values, float *out)
{
    __shared__ float key_tile[tile][width];
    __shared__ float value_tile[tile][width];
    int i = blockIdx.x * tile + threadIdx.x;
    float query[width], result[width] = {};
    for (int d = 0; d < width; d++)
        query[d] = queries[i * width + d] * scale;
    float largest = -1e30f, sum = 0.0f;
    for (int start = 0; start < n; start += tile) {
        for (int d = threadIdx.x; d < tile * width; d += tile) {
            key_tile[d / width][d % width] = keys[start * width + d];
            value_tile[d / width][d % width] = values[start * width + d];
        }
        __syncthreads();
#pragma unroll 4
        for (int j = 0; j < tile; j++) {
            float score = 0.0f;
#pragma unroll
            for (int d = 0; d < width; d++)
                score += query[d] * key_tile[j][d];
            float higher = fmaxf(largest, score);
            float shrink = __expf(largest - higher), weight = __expf(score - higher);
            largest = higher;
            sum = sum * shrink + weight;
#pragma unroll
            for (int d = 0; d < width; d++)
                result[d] = result[d] * shrink + weight * value_tile[j][d];
        }
        __syncthreads();
    }
    for (int d = 0; d < width; d++)
        out[i * width + d] = result[d] / sum;
}
