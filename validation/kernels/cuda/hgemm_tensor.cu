// c = a b on tensor cores: halves in, floats out. A block of four warps computes 64 x 64 results,
// each warp 32 x 32 of them, as products of 16 x 8 by 8 x 8 matrices.
constexpr int tile = 64;
constexpr int depth = 16;
constexpr int pad = 8; // halves: rows of a matrix begin in different banks

struct Half { unsigned short bits; };

__device__ unsigned shared_address(const Half *p)
{
    return (unsigned)__cvta_generic_to_shared(p);
}

// A fragment of a 16 x 8 matrix: each lane of the first sixteen names a row.
__device__ void load_left(unsigned (&fragment)[2], const Half *row)
{
    asm("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
        : "=r"(fragment[0]), "=r"(fragment[1]) : "r"(shared_address(row)) : "memory");
}

// A fragment of an 8 x 8 matrix whose columns the product needs.
__device__ void load_right(unsigned &fragment, const Half *row)
{
    asm("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
        : "=r"(fragment) : "r"(shared_address(row)) : "memory");
}

__device__ void multiply_add(float (&sum)[4], const unsigned (&left)[2], unsigned right)
{
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(left[0]), "r"(left[1]), "r"(right));
}

extern "C" __global__ void __launch_bounds__(128)
hgemm_tensor(int n, const Half *a, const Half *b, float *c)
{
    __shared__ __align__(16) Half tile_a[tile][depth + pad];
    __shared__ __align__(16) Half tile_b[depth][tile + pad];
    int t = threadIdx.x, lane = t % 32;
    int row = t / 64 * 32, column = t / 32 % 2 * 32; // of the warp's results in the tile
    const Half *from_a = a + blockIdx.y * tile * n;
    const Half *from_b = b + blockIdx.x * tile;
    float sums[2][4][4] = {};
    for (int start = 0; start < n; start += depth) {
        int i = t / 2, j = t % 2 * 8; // eight halves for each thread
        *(uint4 *)&tile_a[i][j] = *(const uint4 *)&from_a[i * n + start + j];
        i = t / 8, j = t % 8 * 8;
        *(uint4 *)&tile_b[i][j] = *(const uint4 *)&from_b[(start + i) * n + j];
        __syncthreads();
#pragma unroll
        for (int k = 0; k < depth; k += 8) {
            unsigned left[2][2], right[4];
            for (int m = 0; m < 2; m++)
                load_left(left[m], &tile_a[row + 16 * m + lane % 16][k]);
            for (int m = 0; m < 4; m++)
                load_right(right[m], &tile_b[k + lane % 8][column + 8 * m]);
            for (int m = 0; m < 2; m++)
                for (int p = 0; p < 4; p++)
                    multiply_add(sums[m][p], left[m], right[p]);
        }
        __syncthreads();
    }
    for (int m = 0; m < 2; m++) {
        for (int p = 0; p < 4; p++) {
            int i = blockIdx.y * tile + row + 16 * m + lane / 4;
            int j = blockIdx.x * tile + column + 8 * p + lane % 4 * 2;
            *(float2 *)&c[i * n + j] = make_float2(sums[m][p][0], sums[m][p][1]);
            *(float2 *)&c[(i + 8) * n + j] = make_float2(sums[m][p][2], sums[m][p][3]);
        }
    }
}
