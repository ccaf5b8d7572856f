// One level of a breadth-first search on a graph in CSR form: nodes of the level visit neighbours.
extern "C" __global__ void bfs_level(int nodes, int level, const int *starts, const int *edges,
                                     int *levels)
{
    int node = blockIdx.x * blockDim.x + threadIdx.x;
    if (node >= nodes || levels[node] != level)
        return;
    for (int i = starts[node]; i < starts[node + 1]; i++) {
        int neighbour = edges[i];
        if (levels[neighbour] < 0)
            levels[neighbour] = level + 1;
    }
}
