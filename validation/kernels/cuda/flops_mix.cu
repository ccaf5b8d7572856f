// FADD, FMUL and FFMA in turn on two vectors of four, after the manner of peak-FLOPS benchmarks.
extern "C" __global__ void flops_mix(int steps, const float4 *a, float4 *b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float4 p = a[i], q = b[i];
#pragma unroll 4
    for (int step = 0; step < steps; step++) {
        q.x = q.x * 0.5f + p.x;
        q.y = q.y * 0.5f + p.y;
        q.z = q.z + p.z;
        q.w = q.w * p.w;
        p.x = p.x * 0.75f;
        p.y = p.y + 0.125f;
        p.z = p.z * 0.5f + 0.25f;
        p.w = p.w * 0.5f + 0.5f;
    }
    b[i] = make_float4(p.x + q.x, p.y + q.y, p.z + q.z, p.w + q.w);
}
