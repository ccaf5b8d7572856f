// Latency of shared memory: one thread follows a chain of 2048 indices through 48 KB.
constexpr unsigned elements = 48 * 1024 / 8;

extern "C" __global__ void
shared_lat(unsigned *start, unsigned *stop, unsigned long long *result, unsigned stride)
{
    __shared__ unsigned long long next[elements];
    unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
    for (unsigned i = thread; i < elements - stride; i += blockDim.x * gridDim.x)
        next[i] = (i + stride) % elements;
    if (thread != 0)
        return;
    unsigned long long at = 0;
    unsigned first = 0, last = 0;
    asm volatile("mov.u32 %0, %%clock;" : "=r"(first)::"memory");
    for (unsigned i = 0; i < 2048; i++)
        at = next[at];
    asm volatile("mov.u32 %0, %%clock;" : "=r"(last)::"memory");
    start[thread] = first;
    stop[thread] = last;
    result[thread] = at;
}
