// Triangles of a graph whose edges point to larger numbers: intersections of sorted neighbours.
extern "C" __global__ void triangle_count(int nodes, const int *starts, const int *edges,
                                          unsigned *triangles)
{
    int u = blockIdx.x * blockDim.x + threadIdx.x;
    if (u >= nodes)
        return;
    unsigned count = 0;
    for (int k = starts[u]; k < starts[u + 1]; k++) {
        int v = edges[k];
        int i = starts[u], j = starts[v];
        while (i < starts[u + 1] && j < starts[v + 1]) {
            int left = edges[i], right = edges[j];
            count += left == right;
            i += left <= right;
            j += right <= left;
        }
    }
    atomicAdd(triangles, count);
}
