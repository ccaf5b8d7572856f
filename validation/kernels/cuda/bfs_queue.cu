// One level of a breadth-first search with queues: nodes are claimed by compare-and-swap.
extern "C" __global__ void bfs_queue(int level, const int *starts, const int *edges, int *levels,
                                     const int *queue, const int *size, int *next, int *next_size)
{
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= *size)
        return;
    int node = queue[place];
    for (int i = starts[node]; i < starts[node + 1]; i++) {
        int neighbour = edges[i];
        if (atomicCAS(&levels[neighbour], -1, level + 1) == -1)
            next[atomicAdd(next_size, 1)] = neighbour;
    }
}
