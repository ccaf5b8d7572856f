// Wave equation in two dimensions, one leapfrog step on a torus in double precision.
extern "C" __global__ void wave_2d(int n, double c, const double *now, double *before)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    int west = (x + n - 1) % n, east = (x + 1) % n, north = (y + n - 1) % n, south = (y + 1) % n;
    double here = now[y * n + x];
    double around = now[y * n + west] + now[y * n + east] + now[north * n + x] + now[south * n + x];
    before[y * n + x] = 2.0 * here - before[y * n + x] + c * (around - 4.0 * here);
}
