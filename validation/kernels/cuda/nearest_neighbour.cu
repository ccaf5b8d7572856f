// Distance of each query to its nearest point: squared differences, minima, square root.
extern "C" __global__ void nearest_neighbour(int queries, int points, const float2 *query,
                                             const float2 *point, float *distance, int *which)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= queries)
        return;
    float2 self = query[i];
    float smallest = 1e30f;
    int best = -1;
#pragma unroll 4
    for (int k = 0; k < points; k++) {
        float dx = point[k].x - self.x, dy = point[k].y - self.y, square = dx * dx + dy * dy;
        if (square < smallest) {
            smallest = square;
            best = k;
        }
    }
    distance[i] = sqrtf(smallest);
    which[i] = best;
}
