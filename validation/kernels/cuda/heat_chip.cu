// Temperature of a chip with power sources, one time step: edges take themselves as neighbours.
extern "C" __global__ void heat_chip(int width, int height, float ambient, const float *power,
                                     const float *in, float *out)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    int i = y * width + x;
    float here = in[i];
    float west = x > 0 ? in[i - 1] : here, east = x < width - 1 ? in[i + 1] : here;
    float north = y > 0 ? in[i - width] : here, south = y < height - 1 ? in[i + width] : here;
    float flow = 0.1f * (west + east - 2.0f * here) + 0.1f * (north + south - 2.0f * here);
    out[i] = here + flow + 0.05f * power[i] + 0.01f * (ambient - here);
}
