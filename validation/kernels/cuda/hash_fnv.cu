// FNV-1a, 64 bits wide, of strings of different lengths: a serial chain of products per byte.
extern "C" __global__ void hash_fnv(int n, const int *starts, const unsigned char *text,
                                    unsigned long long *hashes)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned long long hash = 0xcbf29ce484222325ull;
    for (int k = starts[i]; k < starts[i + 1]; k++)
        hash = (hash ^ text[k]) * 0x100000001b3ull;
    hashes[i] = hash;
}
