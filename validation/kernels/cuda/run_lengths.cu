// Length of every run of equal values, at its last element: a walk back that differs by lane.
extern "C" __global__ void run_lengths(int n, const int *in, int *lengths)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || (i + 1 < n && in[i] == in[i + 1]))
        return;
    int start = i;
    while (start > 0 && in[start - 1] == in[i])
        start--;
    lengths[i] = i - start + 1;
}
