// A copy byte by byte: a quarter of a sector per warp and access.
extern "C" __global__ void copy_bytes(int n, const unsigned char *in, unsigned char *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = in[i];
}
