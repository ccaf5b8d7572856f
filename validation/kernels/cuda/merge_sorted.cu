// Merges two sorted arrays: every element finds its place by binary search in the other one.
__device__ int count_before(int size, const int *table, int key, bool equal_too)
{
    int low = 0, high = size;
    while (low < high) {
        int middle = (low + high) / 2;
        if (table[middle] < key || (equal_too && table[middle] == key))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

extern "C" __global__ void merge_sorted(int n, const int *a, const int *b, int *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    out[i + count_before(n, b, a[i], false)] = a[i];
    out[i + count_before(n, a, b[i], true)] = b[i];
}
