// Bandwidth of the device memory: five streams of float4 are read and one is written.
constexpr int vectors = 8 * 1024 * 1024 / 4;

extern "C" __global__ void
mem_bw(const float4 *a, const float4 *b, float4 *c, const float4 *d, const float4 *e,
       const float4 *f, unsigned *start, unsigned *stop)
{
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned first = 0, last = 0;
    asm volatile("bar.sync 0;");
    asm volatile("mov.u32 %0, %%clock;" : "=r"(first)::"memory");
    for (int i = thread; i < vectors; i += blockDim.x * gridDim.x) {
        float4 p = a[i], q = b[i], r = d[i], s = e[i], t = f[i];
        c[i] = make_float4(p.x + q.x + r.x + s.x + t.x, p.y + q.y + r.y + s.y + t.y,
                           p.z + q.z + r.z + s.z + t.z, p.w + q.w + r.w + s.w + t.w);
    }
    asm volatile("bar.sync 0;");
    asm volatile("mov.u32 %0, %%clock;" : "=r"(last)::"memory");
    start[thread] = first;
    stop[thread] = last;
}
