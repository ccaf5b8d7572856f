// Nearest hit of parallel rays with spheres, and the shade there from the surface's slope.
extern "C" __global__ void ray_spheres(int width, int spheres, const float4 *sphere, float *shade)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    float u = (x + 0.5f) / width, v = (y + 0.5f) / width;
    float nearest = 1e30f, result = 0.0f;
    for (int k = 0; k < spheres; k++) {
        float4 s = sphere[k]; // centre and radius
        float dx = u - s.x, dy = v - s.y;
        float under_root = s.w * s.w - dx * dx - dy * dy;
        if (under_root <= 0.0f)
            continue;
        float root = sqrtf(under_root), depth = s.z - root;
        if (depth < nearest) {
            nearest = depth;
            result = root / s.w;
        }
    }
    shade[y * width + x] = result;
}
