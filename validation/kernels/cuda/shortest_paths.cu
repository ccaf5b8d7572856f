// One round of relaxation for shortest paths: every edge may lower its target's distance.
extern "C" __global__ void shortest_paths(int edges, const int *sources, const int *targets,
                                          const int *weights, int *distances)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= edges)
        return;
    int from = distances[sources[i]];
    if (from < 1 << 30)
        atomicMin(&distances[targets[i]], from + weights[i]);
}
