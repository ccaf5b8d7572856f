// Prices of European call and put options after Black and Scholes.
__device__ float normal(float x)
{
    return 0.5f * erfcf(-0.70710678f * x);
}

extern "C" __global__ void black_scholes(int n, float rate, float volatility, const float *spot,
                                         const float *strike, const float *years, float *call,
                                         float *put)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float spread = volatility * sqrtf(years[i]);
    float drift = (rate + 0.5f * volatility * volatility) * years[i];
    float d1 = (logf(spot[i] / strike[i]) + drift) / spread;
    float d2 = d1 - spread;
    float discounted = strike[i] * expf(-rate * years[i]);
    call[i] = spot[i] * normal(d1) - discounted * normal(d2);
    put[i] = discounted * normal(-d2) - spot[i] * normal(-d1);
}
