// nvcc -rdc=true -cubin -arch=sm_86 -o relocatable_sm_86.cubin relocatable.cu
extern __device__ int defined_elsewhere(int);

__global__ void outer(int* data) { data[0] = defined_elsewhere(data[1]); }
