// A copy by 128-bit loads and stores, four in flight per thread.
constexpr int per_thread = 4;

extern "C" __global__ void copy_vectors(const float4 *__restrict__ in, float4 *__restrict__ out)
{
    int first = blockIdx.x * blockDim.x * per_thread + threadIdx.x;
    float4 staged[per_thread];
    for (int k = 0; k < per_thread; k++)
        staged[k] = in[first + k * blockDim.x];
    for (int k = 0; k < per_thread; k++)
        out[first + k * blockDim.x] = staged[k];
}
