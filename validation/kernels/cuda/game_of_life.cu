// One generation of Conway's game of life on a torus, a byte per cell.
extern "C" __global__ void game_of_life(int width, int height, const unsigned char *in,
                                        unsigned char *out)
{
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    int alive = 0;
    for (int dy = -1; dy <= 1; dy++) {
        for (int dx = -1; dx <= 1; dx++)
            alive += in[(y + dy + height) % height * width + (x + dx + width) % width];
    }
    int self = in[y * width + x];
    alive -= self;
    out[y * width + x] = alive == 3 || (self && alive == 2);
}
