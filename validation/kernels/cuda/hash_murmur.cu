// MurmurHash3, 32 bits wide, of keys of four words: products and rotations.
__device__ unsigned rotate(unsigned x, int by)
{
    return x << by | x >> (32 - by);
}

extern "C" __global__ void hash_murmur(int n, unsigned seed, const uint4 *keys, unsigned *hashes)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    uint4 key = keys[i];
    unsigned words[4] = {key.x, key.y, key.z, key.w}, hash = seed;
    for (int k = 0; k < 4; k++) {
        hash ^= rotate(words[k] * 0xcc9e2d51u, 15) * 0x1b873593u;
        hash = rotate(hash, 13) * 5 + 0xe6546b64u;
    }
    hash ^= 16;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    hashes[i] = hash ^ hash >> 16;
}
