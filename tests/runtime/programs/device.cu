// What the runtime says about the device and about kernels, and how it answers misuse; then a
// cooperative launch whose blocks wait for each other.
#include <cstdio>
#include <cstring>

static int wrong;
#define EXPECT(condition)                                                               \
    do {                                                                                \
        if (!(condition)) wrong++, fprintf(stderr, "line %d: not %s\n", __LINE__, #condition); \
    } while (0)

__global__ void __launch_bounds__(256) increment(int *x) {
    __shared__ int copy[256];
    copy[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x] + 1;
}

__device__ unsigned arrived;

__device__ void wait_for_grid(unsigned times) {
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(&arrived, 1);
        while (atomicAdd(&arrived, 0) < times * gridDim.x) {}
        __threadfence();
    }
    __syncthreads();
}

__global__ void rounds(volatile int *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    for (int round = 0; round < 3; round++) {
        int next = x[(i + 1) % n];
        wait_for_grid(2 * round + 1);
        x[i] = next + 1;
        wait_for_grid(2 * round + 2);
    }
}

int main() {
    int devices = 0, device = -1, sms = 0, major = 0, optin = 0, resident = 0;
    EXPECT(cudaGetDeviceCount(&devices) == cudaSuccess && devices == 1);
    EXPECT(cudaSetDevice(0) == cudaSuccess && cudaGetDevice(&device) == cudaSuccess && device == 0);
    EXPECT(cudaSetDevice(1) == cudaErrorInvalidDevice);
    EXPECT(cudaPeekAtLastError() == cudaErrorInvalidDevice);
    EXPECT(cudaGetLastError() == cudaErrorInvalidDevice && cudaGetLastError() == cudaSuccess);

    cudaDeviceProp p;
    EXPECT(cudaGetDeviceProperties(&p, 0) == cudaSuccess);
    cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0);
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
    cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0);
    EXPECT(sms == p.multiProcessorCount && sms > 0 && major == p.major && p.minor == 6);
    EXPECT(optin == (int)p.sharedMemPerBlockOptin && p.warpSize == 32);
    EXPECT(p.maxThreadsPerMultiProcessor == 1536 && p.regsPerMultiprocessor == 65536);
    EXPECT(p.maxBlocksPerMultiProcessor == 16 && p.maxGridSize[0] == 2147483647);
    EXPECT(p.cooperativeLaunch == 1 && p.managedMemory == 1 && p.l2CacheSize > 0);
    printf("%s: %d SMs, compute capability %d.%d\n", p.name, sms, p.major, p.minor);

    cudaFuncAttributes a;
    EXPECT(cudaFuncGetAttributes(&a, increment) == cudaSuccess);
    EXPECT(a.sharedSizeBytes == 1024 && a.numRegs > 0 && a.binaryVersion == 86);
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, increment, 256, 0);
    EXPECT(resident == 6);
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, increment, 256, 40 << 10);
    EXPECT(resident == 2);

    int *x, host[256], *null = nullptr;
    size_t before, after, total;
    cudaMemGetInfo(&before, &total);
    EXPECT(cudaMalloc(&x, sizeof host) == cudaSuccess);
    cudaMemGetInfo(&after, &total);
    EXPECT(before - after == sizeof host && before <= total);
    EXPECT(cudaMalloc(&null, (size_t)1 << 60) == cudaErrorMemoryAllocation && null == nullptr);
    cudaPointerAttributes where;
    EXPECT(cudaPointerGetAttributes(&where, x) == cudaSuccess && where.type == cudaMemoryTypeDevice);
    EXPECT(cudaPointerGetAttributes(&where, host) == cudaSuccess);
    EXPECT(where.type == cudaMemoryTypeUnregistered);
    EXPECT(cudaMemcpy(x, host, sizeof host + 1, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    EXPECT(cudaFree(x + 1) == cudaErrorInvalidValue && cudaFree(nullptr) == cudaSuccess);
    cudaGetLastError();
    increment<<<1, 2048>>>(x);
    EXPECT(cudaGetLastError() == cudaErrorInvalidConfiguration);
    EXPECT(strcmp(cudaGetErrorName(cudaErrorInvalidValue), "cudaErrorInvalidValue") == 0);

    for (int i = 0; i < 256; i++) host[i] = i;
    cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice);
    increment<<<1, 256>>>(x);
    int n = 256;
    void *arguments[] = {&x, &n};
    EXPECT(cudaLaunchCooperativeKernel((void *)rounds, 4, 64, arguments) == cudaSuccess);
    EXPECT(cudaLaunchCooperativeKernel((void *)rounds, 1 << 20, 64, arguments) ==
           cudaErrorCooperativeLaunchTooLarge);
    cudaGetLastError();
    cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost);
    for (int i = 0; i < 256; i++) EXPECT(host[i] == 255 - (i + 3) % 256 + 4);
    return wrong ? 1 : 0;
}
