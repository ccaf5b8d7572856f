// One iteration of PageRank that pulls from incoming edges, one thread per page.
extern "C" __global__ void page_rank(int pages, float damping, const int *starts,
                                     const int *sources, const int *out_degrees,
                                     const float *ranks, float *next)
{
    int page = blockIdx.x * blockDim.x + threadIdx.x;
    if (page >= pages)
        return;
    float sum = 0.0f;
    for (int i = starts[page]; i < starts[page + 1]; i++)
        sum += ranks[sources[i]] / out_degrees[sources[i]];
    next[page] = (1.0f - damping) / pages + damping * sum;
}
