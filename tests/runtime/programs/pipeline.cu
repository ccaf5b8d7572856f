// Two streams work on halves of a vector; events order them; a reduction checks the sum.
// Pinned memory, asynchronous copies, static and dynamic shared memory, a kernel template.
#include <cstdio>
#include <cstdlib>

#define CHECK(call)                                                                     \
    do {                                                                                \
        cudaError_t error = (call);                                                     \
        if (error != cudaSuccess) {                                                     \
            fprintf(stderr, "%s: %s (%s)\n", #call, cudaGetErrorString(error),          \
                    cudaGetErrorName(error));                                           \
            exit(2);                                                                    \
        }                                                                               \
    } while (0)

template <typename T> __global__ void scale(T *x, T factor, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= factor;
}

__global__ void sum(const int *x, int n, unsigned long long *total) {
    extern __shared__ int part[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    part[threadIdx.x] = i < n ? x[i] : 0;
    __syncthreads();
    for (int half = blockDim.x / 2; half; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(total, (unsigned long long)part[0]);
}

int main(int argc, char **argv) {
    const int n = argc > 1 ? atoi(argv[1]) : 1000, half = n / 2, threads = 128;
    int *host, *device;
    unsigned long long *total, result;
    cudaStream_t stream[2];
    cudaEvent_t ready, begin, end;
    CHECK(cudaMallocHost(&host, n * sizeof(int)));
    CHECK(cudaMalloc(&device, n * sizeof(int)));
    CHECK(cudaMalloc(&total, sizeof *total));
    CHECK(cudaMemset(total, 0, sizeof *total));
    CHECK(cudaStreamCreate(&stream[0]));
    CHECK(cudaStreamCreateWithFlags(&stream[1], cudaStreamNonBlocking));
    CHECK(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    for (int i = 0; i < n; i++) host[i] = i;

    CHECK(cudaEventRecord(begin));
    for (int s = 0; s < 2; s++) {
        int first = s * half, count = s ? n - half : half;
        CHECK(cudaMemcpyAsync(device + first, host + first, count * sizeof(int),
                              cudaMemcpyHostToDevice, stream[s]));
        scale<int><<<(count + threads - 1) / threads, threads, 0, stream[s]>>>(device + first, 3, count);
        CHECK(cudaGetLastError());
    }
    CHECK(cudaEventRecord(ready, stream[1]));
    CHECK(cudaStreamWaitEvent(stream[0], ready, 0));
    sum<<<(n + threads - 1) / threads, threads, threads * sizeof(int), stream[0]>>>(device, n, total);
    CHECK(cudaMemcpyAsync(&result, total, sizeof result, cudaMemcpyDeviceToHost, stream[0]));
    CHECK(cudaStreamSynchronize(stream[0]));
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    float ms = -1;
    CHECK(cudaEventElapsedTime(&ms, begin, end));

    unsigned long long expected = 3ull * n * (n - 1) / 2;
    printf("sum %llu\n", result);
    for (cudaStream_t s : stream) CHECK(cudaStreamDestroy(s));
    CHECK(cudaEventDestroy(ready));
    CHECK(cudaFree(device));
    CHECK(cudaFree(total));
    CHECK(cudaFreeHost(host));
    return result == expected && ms >= 0 ? 0 : 1;
}
