// Inserts keys into an open-addressed table by compare-and-swap, probing slot after slot.
extern "C" __global__ void hash_table(int n, int slots, const unsigned *keys, unsigned *table)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned key = keys[i], slot = key * 2654435761u >> 7 & (slots - 1);
    while (true) {
        unsigned found = atomicCAS(&table[slot], 0u, key);
        if (found == 0 || found == key)
            return;
        slot = (slot + 1) & (slots - 1);
    }
}
