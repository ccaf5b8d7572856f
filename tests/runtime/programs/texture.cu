// Reads a table through textures over linear and pitched memory, and checks what it finds.
#include <cstdio>
#include <vector>

__global__ void gather(cudaTextureObject_t table, const int *where, float4 *out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = tex1Dfetch<float4>(table, where[i]);
}
__global__ void shift(cudaTextureObject_t image, float *out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
    if (x < width) out[y * width + x] = tex2D<float>(image, x + 1.5f, y - 0.5f); // clamped
}

int main(int argc, char **) {
    const int n = 1000, width = 50, height = 20;
    std::vector<float4> table(n), found(n);
    std::vector<int> where(n);
    for (int i = 0; i < n; i++) {
        table[i] = make_float4(i, 2 * i, 3 * i, 4 * i);
        where[i] = i * 37 % n;
    }
    float4 *device_table, *device_found;
    int *device_where;
    cudaMalloc(&device_table, n * sizeof(float4));
    cudaMalloc(&device_found, n * sizeof(float4));
    cudaMalloc(&device_where, n * sizeof(int));
    cudaMemcpy(device_table, table.data(), n * sizeof(float4), cudaMemcpyHostToDevice);
    cudaMemcpy(device_where, where.data(), n * sizeof(int), cudaMemcpyHostToDevice);

    cudaResourceDesc resource = {};
    cudaTextureDesc sampling = {};
    resource.resType = argc > 1 ? cudaResourceTypeArray : cudaResourceTypeLinear;
    resource.res.linear.devPtr = device_table;
    resource.res.linear.desc = cudaCreateChannelDesc<float4>();
    resource.res.linear.sizeInBytes = n * sizeof(float4);
    cudaTextureObject_t texture;
    if (cudaCreateTextureObject(&texture, &resource, &sampling, nullptr)) return 2;
    gather<<<4, 256>>>(texture, device_where, device_found, n);
    cudaMemcpy(found.data(), device_found, n * sizeof(float4), cudaMemcpyDeviceToHost);
    for (int i = 0; i < n; i++)
        if (found[i].x != where[i] || found[i].w != 4 * where[i]) return 3;
    if (cudaDestroyTextureObject(texture)) return 4;

    std::vector<float> image(width * height), shifted(width * height);
    for (int i = 0; i < width * height; i++) image[i] = i;
    float *device_image, *device_shifted;
    size_t pitch;
    cudaMallocPitch(&device_image, &pitch, width * sizeof(float), height);
    cudaMalloc(&device_shifted, width * height * sizeof(float));
    cudaMemcpy2D(device_image, pitch, image.data(), width * sizeof(float), width * sizeof(float),
                 height, cudaMemcpyHostToDevice);
    resource = {};
    resource.resType = cudaResourceTypePitch2D;
    resource.res.pitch2D.devPtr = device_image;
    resource.res.pitch2D.desc = cudaCreateChannelDesc<float>();
    resource.res.pitch2D.width = width;
    resource.res.pitch2D.height = height;
    resource.res.pitch2D.pitchInBytes = pitch;
    sampling.addressMode[0] = sampling.addressMode[1] = cudaAddressModeClamp;
    if (cudaCreateTextureObject(&texture, &resource, &sampling, nullptr)) return 5;
    shift<<<dim3(1, height), 64>>>(texture, device_shifted, width, height);
    cudaMemcpy(shifted.data(), device_shifted, width * height * sizeof(float),
               cudaMemcpyDeviceToHost);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int from_x = x + 1 < width ? x + 1 : x, from_y = y ? y - 1 : 0;
            if (shifted[y * width + x] != image[from_y * width + from_x]) return 6;
        }
    printf("textures agree\n");
    return 0;
}
