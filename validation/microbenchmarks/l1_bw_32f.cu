// Bandwidth of the L1 data cache: 1024 threads of one SM read 64 KB again and again, four loads of
// 32 bits at a time.
constexpr unsigned elements = 16384;
constexpr unsigned warp = 32;

#define LOAD(sum, address, offset)                                              \
    asm volatile("{\n\t.reg .f32 x;\n\t"                                        \
                 "ld.global.ca.f32 x, [%1+" offset "];\n\tadd.f32 %0, x, %0;\n\t}" \
                 : "+f"(sum) : "l"(address) : "memory")

__device__ void fill(const float *data, float &sum)
{
    for (unsigned i = threadIdx.x; i < elements; i += 1024)
        LOAD(sum, data + i, "0");
}

__device__ unsigned clock_behind_barrier()
{
    unsigned now = 0;
    asm volatile("bar.sync 0;");
    asm volatile("mov.u32 %0, %%clock;" : "=r"(now)::"memory");
    return now;
}

extern "C" __global__ void
l1_bw_32f(unsigned *start, unsigned *stop, float *result, const float *data)
{
    unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
    float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
    fill(data, a);
    unsigned first = clock_behind_barrier();
    for (unsigned i = 0; i < 256; i++) {
        const float *from = data + (threadIdx.x + i * warp * 4) % elements;
        asm volatile("{\n\t.reg .f32 x<4>;\n\t"
                     "ld.global.ca.f32 x0, [%4+0];\n\tld.global.ca.f32 x1, [%4+128];\n\t"
                     "ld.global.ca.f32 x2, [%4+256];\n\tld.global.ca.f32 x3, [%4+384];\n\t"
                     "add.f32 %0, x0, %0;\n\tadd.f32 %1, x1, %1;\n\t"
                     "add.f32 %2, x2, %2;\n\tadd.f32 %3, x3, %3;\n\t}"
                     : "+f"(a), "+f"(b), "+f"(c), "+f"(d) : "l"(from) : "memory");
    }
    unsigned last = clock_behind_barrier();
    start[thread] = first;
    stop[thread] = last;
    result[thread] = a + b + c + d;
}
