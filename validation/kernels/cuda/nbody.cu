// Accelerations of bodies under gravity, all pairs, in tiles of positions in shared memory.
constexpr int block = 64;

extern "C" __global__ void nbody(int n, float softening, const float4 *bodies, float4 *out)
{
    __shared__ float4 tile[block];
    int i = blockIdx.x * block + threadIdx.x;
    float4 self = bodies[i];
    float ax = 0.0f, ay = 0.0f, az = 0.0f;
    for (int start = 0; start < n; start += block) {
        tile[threadIdx.x] = bodies[start + threadIdx.x];
        __syncthreads();
#pragma unroll 4
        for (int j = 0; j < block; j++) {
            float dx = tile[j].x - self.x, dy = tile[j].y - self.y, dz = tile[j].z - self.z;
            float inverse = rsqrtf(dx * dx + dy * dy + dz * dz + softening);
            float pull = tile[j].w * inverse * inverse * inverse;
            ax += dx * pull;
            ay += dy * pull;
            az += dz * pull;
        }
        __syncthreads();
    }
    out[i] = make_float4(ax, ay, az, 0.0f);
}
