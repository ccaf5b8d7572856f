// CRC-32 of messages, a byte at a time through a table in shared memory: random bank conflicts.
extern "C" __global__ void crc32(int n, int length, const unsigned char *messages,
                                 unsigned *checksums)
{
    __shared__ unsigned table[256];
    for (int k = threadIdx.x; k < 256; k += blockDim.x) {
        unsigned entry = k;
        for (int bit = 0; bit < 8; bit++)
            entry = entry >> 1 ^ (entry & 1 ? 0xedb88320u : 0u);
        table[k] = entry;
    }
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    unsigned crc = 0xffffffffu;
    for (int k = 0; k < length; k++)
        crc = table[(crc ^ messages[i * length + k]) & 255] ^ crc >> 8;
    checksums[i] = ~crc;
}
