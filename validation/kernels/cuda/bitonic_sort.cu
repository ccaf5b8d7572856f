// Each block sorts its keys in shared memory by a bitonic network.
constexpr int keys_per_block = 256;

extern "C" __global__ void bitonic_sort(unsigned *keys)
{
    __shared__ unsigned staged[keys_per_block];
    int t = threadIdx.x;
    unsigned *mine = keys + blockIdx.x * keys_per_block;
    staged[t] = mine[t];
#pragma unroll 1
    for (int size = 2; size <= keys_per_block; size *= 2) {
#pragma unroll 1
        for (int distance = size / 2; distance > 0; distance /= 2) {
            __syncthreads();
            int partner = t ^ distance;
            if (partner > t) {
                unsigned low = staged[t], high = staged[partner];
                if ((low > high) == ((t & size) == 0)) {
                    staged[t] = high;
                    staged[partner] = low;
                }
            }
        }
    }
    __syncthreads();
    mine[t] = staged[t];
}
