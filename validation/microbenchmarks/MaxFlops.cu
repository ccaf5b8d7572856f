// A chain of 4096 fused multiply-adds in each of 1024 threads, on one SM.
extern "C" __global__ void
max_flops(unsigned *start, unsigned *stop, const float *a, const float *b, float *result)
{
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
    float left = a[thread], right = b[thread], sum = 0.0f;
    asm volatile("bar.sync 0;");
    unsigned first = 0, last = 0;
    asm volatile("mov.u32 %0, %%clock;" : "=r"(first)::"memory");
    for (int i = 0; i < 1024; i++) {
        asm volatile("fma.rn.f32 %0, %1, %2, %0;\n\t"
                     "fma.rn.f32 %0, %1, %2, %0;\n\t"
                     "fma.rn.f32 %0, %1, %2, %0;\n\t"
                     "fma.rn.f32 %0, %1, %2, %0;"
                     : "+f"(sum), "+f"(left), "+f"(right));
    }
    asm volatile("bar.sync 0;");
    asm volatile("mov.u32 %0, %%clock;" : "=r"(last)::"memory");
    start[thread] = first;
    stop[thread] = last;
    result[thread] = sum;
}
