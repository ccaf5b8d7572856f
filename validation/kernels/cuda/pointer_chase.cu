// One thread follows a cycle of indices: every load waits for the one before.
extern "C" __global__ void pointer_chase(int steps, const int *next, int *last)
{
    int place = 0;
    for (int step = 0; step < steps; step++)
        place = next[place];
    *last = place;
}
