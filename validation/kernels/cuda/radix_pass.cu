// One stable pass of a radix sort by four bits: count digits per block, scan the counts, scatter.
constexpr int block = 128;
constexpr int digits = 16;

extern "C" __global__ void count_digits(int shift, const unsigned *keys, int *counts)
{
    __shared__ int local[digits];
    if (threadIdx.x < digits)
        local[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&local[keys[blockIdx.x * block + threadIdx.x] >> shift & (digits - 1)], 1);
    __syncthreads();
    if (threadIdx.x < digits)
        counts[threadIdx.x * gridDim.x + blockIdx.x] = local[threadIdx.x];
}

extern "C" __global__ void scan_counts(int n, int *counts)
{
    __shared__ int sums[2][256];
    int t = threadIdx.x, from = 0;
    sums[0][t] = t < n && t > 0 ? counts[t - 1] : 0;
    for (int distance = 1; distance < n; distance *= 2) {
        __syncthreads();
        sums[1 - from][t] = sums[from][t] + (t >= distance ? sums[from][t - distance] : 0);
        from = 1 - from;
    }
    if (t < n)
        counts[t] = sums[from][t];
}

extern "C" __global__ void scatter(int shift, const unsigned *in, const int *starts, unsigned *out)
{
    __shared__ int before[block / 32][digits]; // how many elements of each digit a warp has
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    unsigned key = in[blockIdx.x * block + threadIdx.x];
    int digit = key >> shift & (digits - 1);
    unsigned same = 0xffffffff;
    for (int bit = 0; bit < 4; bit++) {
        unsigned set = __ballot_sync(0xffffffff, digit >> bit & 1);
        same &= digit >> bit & 1 ? set : ~set;
    }
    if (lane < digits)
        before[warp][lane] = 0;
    __syncwarp();
    int rank = __popc(same & ((1u << lane) - 1));
    if (rank == 0)
        before[warp][digit] = __popc(same);
    __syncthreads();
    for (int earlier = 0; earlier < warp; earlier++)
        rank += before[earlier][digit];
    out[starts[digit * gridDim.x + blockIdx.x] + rank] = key;
}
