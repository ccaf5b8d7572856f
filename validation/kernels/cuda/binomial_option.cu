// An American put by backward induction over a binomial tree in shared memory, a block per option.
constexpr int steps = 63;

extern "C" __global__ void binomial_option(float up, float weight, float discount,
                                           const float *spot, const float *strike, float *price)
{
    __shared__ float values[steps + 1];
    int t = threadIdx.x;
    float s = spot[blockIdx.x], k = strike[blockIdx.x];
    float here = s * powf(up, 2 * t - steps);
    values[t] = fmaxf(k - here, 0.0f);
    for (int step = steps; step > 0; step--) {
        here *= up; // the node that comes one step earlier, with as many steps up
        __syncthreads();
        float later = 0.0f;
        if (t < step)
            later = discount * (weight * values[t + 1] + (1.0f - weight) * values[t]);
        __syncthreads();
        if (t < step)
            values[t] = fmaxf(later, k - here);
    }
    if (t == 0)
        price[blockIdx.x] = values[0];
}
