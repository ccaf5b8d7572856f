// a = b + s c over arrays, each thread several elements a grid apart.
extern "C" __global__ void stream_triad(int n, float s, const float *b, const float *c, float *a)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        a[i] = b[i] + s * c[i];
}
