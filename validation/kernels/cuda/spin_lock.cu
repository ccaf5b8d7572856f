// One thread of each block adds to a plain counter under a lock that all of them spin on.
extern "C" __global__ void spin_lock(int rounds, int *lock, volatile int *counter)
{
    if (threadIdx.x != 0)
        return;
    for (int k = 0; k < rounds; k++) {
        while (atomicCAS(lock, 0, 1) != 0)
            ;
        __threadfence();
        *counter = *counter + 1 + blockIdx.x;
        __threadfence();
        atomicExch(lock, 0);
    }
}
