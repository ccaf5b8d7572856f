// Common operations, whose compiled code begins every native trace's dictionary.

template <typename T>
__device__ T warp_sum(T value) {
    for (int offset = 16; offset; offset >>= 1) value += __shfl_down_sync(~0u, value, offset);
    return value;
}

extern "C" __global__ void scale_add(float *out, const float *a, const float *b, float s, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = s * a[i] + b[i];
}

extern "C" __global__ void scale_add_double(double *out, const double *a, double s, long long n) {
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n;
         i += (long long)gridDim.x * blockDim.x)
        out[i] = fma(s, a[i], out[i]) / (1.0 + a[i] * a[i]);
}

extern "C" __global__ void vectors(float4 *out, const float4 *a, const float2 *b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float4 v = a[i];
    float2 w = b[i];
    out[i] = make_float4(v.x + w.x, v.y - w.y, fmaxf(v.z, w.x), fminf(v.w, -w.y));
}

extern "C" __global__ void tile_product(float *c, const float *a, const float *b, int n, int k) {
    __shared__ float left[16][17], right[16][16];
    int x = threadIdx.x, y = threadIdx.y;
    int column = blockIdx.x * 16 + x, row = blockIdx.y * 16 + y;
    float sum = 0;
    for (int t = 0; t < k; t += 16) {
        left[y][x] = row < n && t + x < k ? a[row * k + t + x] : 0.0f;
        right[y][x] = column < n && t + y < k ? b[(t + y) * n + column] : 0.0f;
        __syncthreads();
        for (int i = 0; i < 16; i++) sum += left[y][i] * right[i][x];
        __syncthreads();
    }
    if (row < n && column < n) c[row * n + column] = sum;
}

extern "C" __global__ void block_maximum(float *out, const float *in, int n) {
    extern __shared__ float shared[];
    float best = -3.4e38f;
    for (int i = threadIdx.x; i < n; i += blockDim.x) best = fmaxf(best, in[blockIdx.x * n + i]);
    shared[threadIdx.x] = best;
    __syncthreads();
    for (int half = blockDim.x / 2; half; half /= 2) {
        if (threadIdx.x < half)
            shared[threadIdx.x] = fmaxf(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0) out[blockIdx.x] = shared[0];
}

extern "C" __global__ void counted(int *bins, unsigned *total, const unsigned char *text, int n) {
    __shared__ int local[256];
    for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&local[text[i]], 1);
    __syncthreads();
    for (int b = threadIdx.x; b < 256; b += blockDim.x)
        if (local[b]) atomicAdd(&bins[b], local[b]);
    unsigned votes = __ballot_sync(~0u, i < n && text[i] == 32);
    if (threadIdx.x % 32 == 0) atomicAdd(total, __popc(votes));
    if (__any_sync(~0u, i == n) && i == n) atomicMax(&bins[0], n), atomicCAS(total, 7u, 9u);
}

extern "C" __global__ void five_points(float *out, const float *in, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < 1 || y < 1 || x >= width - 1 || y >= height - 1) return;
    int at = y * width + x;
    out[at] = 0.2f * (in[at] + in[at - 1] + in[at + 1] + in[at - width] + in[at + width]);
}

extern "C" __global__ void special(float *out, const float *in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float x = in[i];
    out[i] = __expf(x) + __logf(x) + sqrtf(x) * rsqrtf(x + 1.0f) + __sinf(x) * __cosf(x);
    out[i + n] = expf(x) / (1.0f + logf(x)) + powf(x, 1.5f);
    out[i + 2 * n] = sinf(x) + cosf(x) + tanhf(x) + erff(x);
}

extern "C" __global__ void divided(int *out, unsigned *rest, const int *a, const int *b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = a[i] / b[i] + a[i] % (b[i] + 1);
    rest[i] = (unsigned)a[i] / 10u + (unsigned)a[i] % 7u;
    out[i + n] = (int)((long long)a[i] * b[i] >> 20);
    rest[i + n] = __umulhi(a[i], b[i]) ^ __brev(a[i]) ^ __clz(b[i]);
}

extern "C" __global__ void mixed_bits(unsigned *out, const unsigned *in, int rounds) {
    unsigned a = in[threadIdx.x], b = in[threadIdx.x + 32], c = in[threadIdx.x + 64];
#pragma unroll 4
    for (int i = 0; i < rounds; i++) {
        a = (a << 5 | a >> 27) + (b & c | ~b & a) + 0x5a827999u;
        b = __funnelshift_l(b, b, 13) ^ a * 0x85ebca6bu;
        c += (a ^ b) >> 3;
    }
    out[threadIdx.x] = a ^ b ^ c;
}

extern "C" __global__ void rows(float *y, const int *start, const int *column, const float *value,
                                const float *x, int n) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n) return;
    float sum = 0;
    for (int k = start[row]; k < start[row + 1]; k++) sum += value[k] * x[column[k]];
    y[row] = sum;
}

extern "C" __global__ void row_warps(float *y, const int *start, const int *column,
                                     const float *value, const float *x, int n) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= n) return;
    float sum = 0;
    for (int k = start[row] + lane; k < start[row + 1]; k += 32) sum += value[k] * x[column[k]];
    sum = warp_sum(sum);
    if (lane == 0) y[row] = sum;
}

extern "C" __global__ void frontier(int *level, int *next, int *count, const int *start,
                                    const int *edge, const int *now, int n, int depth) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int node = now[i];
    for (int k = start[node]; k < start[node + 1]; k++)
        if (atomicCAS(&level[edge[k]], -1, depth) == -1) next[atomicAdd(count, 1)] = edge[k];
}

extern "C" __global__ void search(int *found, const int *sorted, const int *wanted, int n, int m) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= m) return;
    int low = 0, high = n, key = wanted[i];
    while (low < high) {
        int middle = (low + high) / 2;
        if (sorted[middle] < key) low = middle + 1; else high = middle;
    }
    found[i] = low < n && sorted[low] == key ? low : -1;
}

extern "C" __global__ void prefix(int *out, const int *in, int n) {
    __shared__ int shared[1024];
    int i = threadIdx.x;
    shared[i] = i < n ? in[i] : 0;
    __syncthreads();
    for (int step = 1; step < blockDim.x; step *= 2) {
        int value = i >= step ? shared[i - step] : 0;
        __syncthreads();
        shared[i] += value;
        __syncthreads();
    }
    if (i < n) out[i] = i ? shared[i - 1] : 0;
}

extern "C" __global__ void exchange(int *data, int k, int j) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x, other = i ^ j;
    if (other <= i) return;
    int a = data[i], b = data[other];
    if ((a > b) == !(i & k)) data[i] = b, data[other] = a;
}

extern "C" __global__ void escape(unsigned short *steps, float scale, int width, int limit) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    float r = scale * x - 2.0f, i = scale * y - 1.5f, u = 0, v = 0;
    int n = 0;
    while (u * u + v * v < 4.0f && n < limit) {
        float next = u * u - v * v + r;
        v = 2.0f * u * v + i, u = next, n++;
    }
    steps[y * width + x] = n;
}

extern "C" __global__ void forces(float4 *out, const float4 *body, int n) {
    __shared__ float4 tile[128];
    int i = blockIdx.x * 128 + threadIdx.x;
    float4 self = body[i], sum = make_float4(0, 0, 0, 0);
    for (int t = 0; t < n; t += 128) {
        tile[threadIdx.x] = body[t + threadIdx.x];
        __syncthreads();
#pragma unroll 8
        for (int k = 0; k < 128; k++) {
            float x = tile[k].x - self.x, y = tile[k].y - self.y, z = tile[k].z - self.z;
            float inverse = rsqrtf(x * x + y * y + z * z + 1e-6f);
            float weight = tile[k].w * inverse * inverse * inverse;
            sum.x += weight * x, sum.y += weight * y, sum.z += weight * z;
        }
        __syncthreads();
    }
    out[i] = sum;
}

extern "C" __global__ void normalised(float *out, const float *in, int n) {
    __shared__ float parts[32];
    const float *row = in + blockIdx.x * n;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += row[i], squares += row[i] * row[i];
    sum = warp_sum(sum), squares = warp_sum(squares);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum / n, parts[16 + threadIdx.x / 32] = squares;
    __syncthreads();
    float mean = parts[0], deviation = sqrtf(parts[16] / n - mean * mean + 1e-5f);
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        out[blockIdx.x * n + i] = (row[i] - mean) / deviation;
}

extern "C" __global__ void switched(int *out, const int *in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int v = in[i];
    switch (v & 7) {
        case 0: v = v * 3 + 1; break;
        case 1: v = v >> 1; break;
        case 2: v = -v; break;
        case 3: v ^= 0x55; break;
        case 4: v = v * v - 9; break;
        case 5: v = abs(v) + 5; break;
        default: v = min(v, 100) - max(v, -100);
    }
    out[i] = v;
}

__device__ __noinline__ int climbed(int n) { return n < 2 ? n : climbed(n - 1) + climbed(n - 2); }

extern "C" __global__ void recursive(int *out) { out[threadIdx.x] = climbed(threadIdx.x % 8); }

extern "C" __global__ void spilled(int *out, const int *in, int n) {
    int stack[24];
    for (int i = 0; i < n; i++) stack[i % 24] = in[threadIdx.x * n + i];
    int sum = 0;
    for (int i = 0; i < n; i++) sum += stack[(i * 7 + threadIdx.x) % 24];
    out[threadIdx.x] = sum;
}
