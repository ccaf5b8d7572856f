// The same array read several times past the L1: after the first pass it comes from the L2.
extern "C" __global__ void stream_l2(int n, int passes, const int4 *in, int *sums)
{
    int thread = blockIdx.x * blockDim.x + threadIdx.x;
    int sum = 0;
    for (int pass = 0; pass < passes; pass++) {
        for (int i = thread; i < n; i += gridDim.x * blockDim.x) {
            int4 v = __ldcg(&in[i]);
            sum += v.x + v.y + v.z + v.w;
        }
    }
    sums[thread] = sum;
}
