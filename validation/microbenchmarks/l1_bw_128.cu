// Bandwidth of the L1 data cache: 1024 threads of one SM read 64 KB again and again, 128 bits at a time.
constexpr unsigned elements = 16384;
constexpr unsigned warp = 32;

__device__ unsigned clock_behind_barrier()
{
    unsigned now = 0;
    asm volatile("bar.sync 0;");
    asm volatile("mov.u32 %0, %%clock;" : "=r"(now)::"memory");
    return now;
}

extern "C" __global__ void
l1_bw_128(unsigned *start, unsigned *stop, float *result, const float *data)
{
    unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
    float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
    auto load = [&](const float *from) {
        asm volatile("{\n\t.reg .f32 x<4>;\n\tld.global.ca.v4.f32 {x0, x1, x2, x3}, [%4];\n\t"
                     "add.f32 %0, x0, %0;\n\tadd.f32 %1, x1, %1;\n\t"
                     "add.f32 %2, x2, %2;\n\tadd.f32 %3, x3, %3;\n\t}"
                     : "+f"(a), "+f"(b), "+f"(c), "+f"(d) : "l"(from) : "memory");
    };
    for (unsigned i = threadIdx.x * 4; i < elements; i += 1024 * 4)
        load(data + i);
    unsigned first = clock_behind_barrier();
    for (unsigned i = 0; i < 4096; i++)
        load(data + (threadIdx.x * 4 + i * warp * 4) % elements);
    unsigned last = clock_behind_barrier();
    start[thread] = first;
    stop[thread] = last;
    result[thread] = a + b + c + d;
}
