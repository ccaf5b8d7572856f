// c = a b with 64 x 64 tiles per block of 256 threads, 4 x 4 results per thread in registers.
constexpr int tile = 64;
constexpr int depth = 8;
constexpr int each = 4;

extern "C" __global__ void __launch_bounds__(256)
sgemm_registers(int n, const float *a, const float *b, float *c)
{
    __shared__ float tile_a[depth][tile]; // transposed, so that a thread reads its rows in a row
    __shared__ float tile_b[depth][tile];
    int t = threadIdx.x, row = t / 16 * each, column = t % 16 * each;
    const float *from_a = a + blockIdx.y * tile * n;
    const float *from_b = b + blockIdx.x * tile;
    float sums[each][each] = {};
    for (int start = 0; start < n; start += depth) {
        for (int k = t; k < tile * depth; k += 256) {
            tile_a[k % depth][k / depth] = from_a[k / depth * n + start + k % depth];
            tile_b[k / tile][k % tile] = from_b[(start + k / tile) * n + k % tile];
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < depth; k++) {
            float4 left = *(const float4 *)&tile_a[k][row];
            float4 right = *(const float4 *)&tile_b[k][column];
            float l[each] = {left.x, left.y, left.z, left.w};
            float r[each] = {right.x, right.y, right.z, right.w};
#pragma unroll
            for (int i = 0; i < each; i++) {
#pragma unroll
                for (int j = 0; j < each; j++)
                    sums[i][j] += l[i] * r[j];
            }
        }
        __syncthreads();
    }
    for (int i = 0; i < each; i++) {
        float *to = c + (blockIdx.y * tile + row + i) * n + blockIdx.x * tile + column;
        *(float4 *)to = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
    }
}
