// Bandwidth of the L1 data cache: 1024 threads of one SM read 64 KB again and again, 32 bits at a time.
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
l1_bw_32f_unroll(unsigned *start, unsigned *stop, float *result, const float *data)
{
    unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0.0f, other = 0.0f;
    fill(data, sum);
    unsigned first = clock_behind_barrier();
    for (unsigned i = 0; i < 1024; i++)
        LOAD(sum, data + (threadIdx.x + i * warp) % elements, "0");
    unsigned last = clock_behind_barrier();
    start[thread] = first;
    stop[thread] = last;
    result[thread] = sum + other;
}
