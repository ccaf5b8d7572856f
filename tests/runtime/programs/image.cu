// A 3x3 filter on a pitched image: 2D copies, a __constant__ filter, a __device__ counter,
// managed memory that the host reads between launches, a structure as a parameter.
#include <cstdio>
#include <cstdlib>
#include <vector>

#define CHECK(call)                                                                     \
    do {                                                                                \
        cudaError_t error = (call);                                                     \
        if (error != cudaSuccess) {                                                     \
            fprintf(stderr, "%s: %s\n", #call, cudaGetErrorString(error));              \
            exit(2);                                                                    \
        }                                                                               \
    } while (0)

struct Image {
    char *data;
    size_t pitch;
    int width, height;
    __host__ __device__ int &at(int x, int y) { return ((int *)(data + y * pitch))[x]; }
};

__constant__ int weights[9];
__device__ int written = 7;

__global__ void filter(Image in, Image out) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= in.width || y >= in.height) return;
    int sum = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int u = x + dx, v = y + dy;
            bool inside = u >= 0 && u < in.width && v >= 0 && v < in.height;
            sum += inside ? weights[(dy + 1) * 3 + dx + 1] * in.at(u, v) : 0;
        }
    out.at(x, y) = sum;
    atomicAdd(&written, 1);
}

__global__ void histogram(Image in, int *bins) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < in.width && y < in.height) atomicAdd(&bins[in.at(x, y) & 15], 1);
}

int main() {
    const int width = 45, height = 19, row = width * sizeof(int);
    const int filter_weights[9] = {1, 2, 1, 0, 5, 0, -1, -2, -1};
    std::vector<int> source(width * height), result(width * height);
    for (int i = 0; i < width * height; i++) source[i] = i * 37 % 101;

    Image in{nullptr, 0, width, height}, out = in;
    CHECK(cudaMallocPitch((void **)&in.data, &in.pitch, row, height));
    CHECK(cudaMallocPitch((void **)&out.data, &out.pitch, row, height));
    CHECK(cudaMemset2D(out.data, out.pitch, 0xff, row, height));
    CHECK(cudaMemcpy2D(in.data, in.pitch, source.data(), row, row, height, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpyToSymbol(weights, filter_weights, 4 * sizeof(int)));
    CHECK(cudaMemcpyToSymbol(weights, filter_weights + 4, 5 * sizeof(int), 4 * sizeof(int)));
    int *bins;
    CHECK(cudaMallocManaged(&bins, 16 * sizeof(int)));
    for (int i = 0; i < 16; i++) bins[i] = 100;

    dim3 block(16, 8), grid((width + 15) / 16, (height + 7) / 8);
    filter<<<grid, block>>>(in, out);
    histogram<<<grid, block>>>(out, bins);
    CHECK(cudaDeviceSynchronize());
    for (int i = 0; i < 16; i++) bins[i] += 1000;  // the host's turn
    histogram<<<grid, block>>>(out, bins);
    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy2D(result.data(), row, out.data, out.pitch, row, height, cudaMemcpyDefault));

    int count, *address, wrong = 0, expected_bins[16] = {0};
    size_t size;
    CHECK(cudaMemcpyFromSymbol(&count, written, sizeof count));
    CHECK(cudaGetSymbolAddress((void **)&address, written));
    CHECK(cudaGetSymbolSize(&size, weights));
    int again;
    CHECK(cudaMemcpy(&again, address, sizeof again, cudaMemcpyDeviceToHost));
    wrong += count != 7 + width * height || again != count || size != sizeof filter_weights;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int sum = 0;
            for (int k = 0; k < 9; k++) {
                int u = x + k % 3 - 1, v = y + k / 3 - 1;
                if (u >= 0 && u < width && v >= 0 && v < height)
                    sum += filter_weights[k] * source[v * width + u];
            }
            wrong += result[y * width + x] != sum;
            expected_bins[sum & 15]++;
        }
    for (int i = 0; i < 16; i++) wrong += bins[i] != 1100 + 2 * expected_bins[i];
    printf("%d wrong\n", wrong);
    CHECK(cudaFree(bins));
    CHECK(cudaFree(in.data));
    return wrong ? 1 : 0;
}
