// Every place of a pattern in a text: most candidates fail at the first byte.
extern "C" __global__ void string_search(int n, int length, const char *text, const char *pattern,
                                         unsigned char *found)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i > n - length)
        return;
    int k = 0;
    while (k < length && text[i + k] == pattern[k])
        k++;
    found[i] = k == length;
}
