// Keeps the positive elements: a ballot per warp, one atomic for the warp's place in the output.
extern "C" __global__ void compaction(int n, const int *in, int *size, int *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
    bool keep = i < n && in[i] > 0;
    unsigned kept = __ballot_sync(0xffffffff, keep);
    int start = 0;
    if (lane == 0)
        start = atomicAdd(size, __popc(kept));
    start = __shfl_sync(0xffffffff, start, 0);
    if (keep)
        out[start + __popc(kept & ((1u << lane) - 1))] = in[i];
}
