// Place of each key in a sorted table, by halving.
extern "C" __global__ void binary_search(int n, int size, const int *keys, const int *table,
                                         int *places)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    int low = 0, high = size;
    while (low < high) {
        int middle = (low + high) / 2;
        if (table[middle] < keys[i])
            low = middle + 1;
        else
            high = middle;
    }
    places[i] = low;
}
