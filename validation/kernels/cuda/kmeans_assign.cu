// Nearest of a few centres for each point, and how many points each centre has, by atomics.
constexpr int features = 4;

extern "C" __global__ void kmeans_assign(int n, int centres, const float *points,
                                         const float *centre, int *nearest, int *sizes)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float smallest = 1e30f;
    int best = 0;
    for (int c = 0; c < centres; c++) {
        float distance = 0.0f;
        for (int f = 0; f < features; f++) {
            float difference = points[f * n + i] - centre[c * features + f];
            distance += difference * difference;
        }
        if (distance < smallest) {
            smallest = distance;
            best = c;
        }
    }
    nearest[i] = best;
    atomicAdd(&sizes[best], 1);
}
