// Fibonacci numbers by recursion: calls, returns and a stack in local memory.
__device__ __noinline__ int fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

extern "C" __global__ void recursion(int *out)
{
    int i = threadIdx.x;
    out[i] = fibonacci(i % 9);
}
