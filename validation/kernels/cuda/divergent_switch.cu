// Every lane of a warp takes one of eight ways: a branch tree, and no two neighbours agree.
extern "C" __global__ void divergent_switch(int n, const int *kinds, const float *x, float *y)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float v = x[i];
    int kind = kinds[i];
    if (kind < 4) {
        if (kind < 2) {
            for (int k = 0; k < 4 + kind; k++)
                v = v * v - 0.5f;
        } else if (kind == 2) {
            v = sqrtf(v);
        } else {
            v = 1.0f / v;
        }
    } else if (kind < 6) {
        for (int k = 0; k < kind; k++)
            v = v * 0.5f + 1.0f;
    } else {
        v = kind == 6 ? v * v * v : fminf(v, 0.25f);
    }
    y[i] = v;
}
