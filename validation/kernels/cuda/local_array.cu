// Insertion sort of a private array with computed indices, which puts it into local memory.
constexpr int length = 16;

extern "C" __global__ void local_array(const int *in, int *out)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int values[length];
    for (int k = 0; k < length; k++) {
        int value = in[i * length + k], place = k;
        while (place > 0 && values[place - 1] > value) {
            values[place] = values[place - 1];
            place--;
        }
        values[place] = value;
    }
    for (int k = 0; k < length; k++)
        out[i * length + k] = values[k];
}
