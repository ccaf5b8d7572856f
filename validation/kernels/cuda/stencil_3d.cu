// Seven-point stencil: each thread walks along z and keeps three planes' values in registers.
extern "C" __global__ void stencil_3d(int nx, int ny, int nz, const float *in, float *out)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x + 1;
    int y = blockIdx.y * blockDim.y + threadIdx.y + 1;
    if (x >= nx - 1 || y >= ny - 1)
        return;
    int plane = nx * ny, i = y * nx + x;
    float below = in[i], here = in[i + plane];
    for (int z = 1; z < nz - 1; z++) {
        i += plane;
        float above = in[i + plane];
        float around = in[i - 1] + in[i + 1] + in[i - nx] + in[i + nx];
        out[i] = 0.4f * here + 0.1f * (below + above + around);
        below = here;
        here = above;
    }
}
