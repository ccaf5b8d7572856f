// Does what its argument says, after a line of output that must not get lost.
#include <cstdio>
#include <cstdlib>
#include <cstring>

__global__ void store(int *x, int i) { x[i + threadIdx.x] = 1; }
__global__ void load(int *x, int i) { x[0] = x[i]; }

int main(int argc, char **argv) {
    int *x;
    const char *what = argc > 1 ? argv[1] : "";
    printf("begin %s\n", what);
    if (cudaMalloc(&x, 128) != cudaSuccess) return 9;
    store<<<1, 32>>>(x, 0);
    if (!strcmp(what, "array")) {
        cudaArray_t array;
        cudaChannelFormatDesc format = {32, 0, 0, 0, cudaChannelFormatKindSigned};
        cudaMallocArray(&array, &format, 64);
    }
    if (!strcmp(what, "bounds")) store<<<1, 32>>>(x, 1);
    if (!strcmp(what, "abort")) abort();
    load<<<1, 1>>>(x, 5);
    return cudaDeviceSynchronize() == cudaSuccess ? atoi(what) : 9;
}
