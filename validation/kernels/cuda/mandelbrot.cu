// Iterations until z = z^2 + c leaves a disc of radius 2: neighbouring lanes stop at other times.
extern "C" __global__ void mandelbrot(int width, int height, int limit, int *counts)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    double cr = -2.0 + 2.5 * x / width, ci = -1.25 + 2.5 * y / height;
    double zr = 0.0, zi = 0.0;
    int count = 0;
    while (count < limit && zr * zr + zi * zi <= 4.0) {
        double next = zr * zr - zi * zi + cr;
        zi = 2.0 * zr * zi + ci;
        zr = next;
        count++;
    }
    counts[y * width + x] = count;
}
