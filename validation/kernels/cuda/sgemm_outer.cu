// c = a b with 128 x 128 tiles per block of 256 threads and 8 x 8 results per thread, as in
// libraries: per step of k, 64 FFMAs for 16 numbers from shared memory, the next tiles on the way.
constexpr int tile = 128;
constexpr int depth = 8;
constexpr int half = 64; // a thread has 4 x 4 results in each quarter of the tile

extern "C" __global__ void __launch_bounds__(256)
sgemm_outer(int n, const float *a, const float *b, float *c)
{
    __shared__ float4 tile_a[2][depth][tile / 4]; // transposed
    __shared__ float4 tile_b[2][depth][tile / 4];
    int t = threadIdx.x, row = t / 16, column = t % 16;
    const float4 *from_a = (const float4 *)(a + (blockIdx.y * tile + t / 2) * n) + t % 2;
    const float4 *from_b = (const float4 *)(b + t / 32 * n + blockIdx.x * tile) + t % 32;
    float sums[8][8] = {};
    float4 next_a = *from_a, next_b = *from_b;
    for (int start = 0, now = 0; start < n; start += depth, now ^= 1) {
        float *to = (float *)&tile_a[now][t % 2 * 4][0] + t / 2;
        to[0] = next_a.x, to[tile] = next_a.y, to[2 * tile] = next_a.z, to[3 * tile] = next_a.w;
        tile_b[now][t / 32][t % 32] = next_b;
        __syncthreads();
        if (start + depth < n) {
            next_a = *(from_a += depth / 4);
            next_b = *(from_b += depth * n / 4);
        }
#pragma unroll
        for (int k = 0; k < depth; k++) {
            float4 l0 = tile_a[now][k][row], l1 = tile_a[now][k][row + half / 4];
            float4 r0 = tile_b[now][k][column], r1 = tile_b[now][k][column + half / 4];
            float l[8] = {l0.x, l0.y, l0.z, l0.w, l1.x, l1.y, l1.z, l1.w};
            float r[8] = {r0.x, r0.y, r0.z, r0.w, r1.x, r1.y, r1.z, r1.w};
#pragma unroll
            for (int i = 0; i < 8; i++) {
#pragma unroll
                for (int j = 0; j < 8; j++)
                    sums[i][j] += l[i] * r[j];
            }
        }
    }
    for (int i = 0; i < 8; i++) {
        int y = blockIdx.y * tile + i / 4 * half + row * 4 + i % 4;
        float *to = c + y * n + blockIdx.x * tile + column * 4;
        *(float4 *)to = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        *(float4 *)(to + half) = make_float4(sums[i][4], sums[i][5], sums[i][6], sums[i][7]);
    }
}
