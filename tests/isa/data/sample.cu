// nvcc -cubin -arch=sm_75 -o sample_sm_75.cubin sample.cu   (and sm_86)
#include <cuda_fp16.h>

__constant__ float coefficients[8];
__device__ int counter;
__device__ double table[4] = {1.0, 2.0, 3.0, 4.0};

__global__ void saxpy(int n, float a, const float* x, float* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

// Double precision, conversions, 64-bit shared data, a variable in bank 4.
__global__ void doubles(double* out, const long long* in, int n) {
    __shared__ double tile[64];
    int t = threadIdx.x;
    tile[t & 63] = (double)in[t] * table[t & 3];
    __syncthreads();
    double sum = 0.5;
    for (int i = 0; i < n; i++) sum = fma(tile[i & 63], sum, 3.5);
    out[t] = sum;
}

// Atomics, shuffle, vote, a switch that becomes a jump table, packed halves.
__global__ void mixed(int* data, unsigned long long* wide, __half2* halves) {
    int t = threadIdx.x;
    int v = data[t];
    switch (v) {
        case 0: v = data[1] * 7; break;
        case 1: v = data[2] ^ t; break;
        case 2: v = __popc(data[3]); data[4] = 1; break;
        case 3: v = data[5] - 9; data[6] = 2; break;
        case 4: v = __clz(data[7]); break;
        default: v = -1;
    }
    v += __shfl_xor_sync(~0u, v, 1) + __any_sync(~0u, v > 3);
    atomicAdd(&counter, v);
    wide[t] = atomicCAS(&wide[t + 1], 3ull, 4ull);
    halves[t] = __hfma2(halves[t + 1], halves[t + 2], __float2half2_rn(2.5f));
    data[t + 9] = v + (int)coefficients[t & 7];
}
