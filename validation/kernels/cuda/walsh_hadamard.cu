// Walsh-Hadamard transform of 512 integers per block, butterflies in shared memory.
constexpr int n = 512;

extern "C" __global__ void walsh_hadamard(int *data)
{
    __shared__ int staged[n];
    int t = threadIdx.x; // n / 2 threads
    staged[t] = data[blockIdx.x * n + t];
    staged[t + n / 2] = data[blockIdx.x * n + t + n / 2];
    for (int half = n / 2; half > 0; half /= 2) {
        __syncthreads();
        int low = 2 * t - (t & (half - 1)), high = low + half;
        int a = staged[low], b = staged[high];
        staged[low] = a + b;
        staged[high] = a - b;
    }
    __syncthreads();
    data[blockIdx.x * n + t] = staged[t];
    data[blockIdx.x * n + t + n / 2] = staged[t + n / 2];
}
