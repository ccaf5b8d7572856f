// Energy of each atom with those in a list of neighbours, with a cutoff: gathers and divergence.
extern "C" __global__ void lennard_jones(int atoms, int neighbours, float cutoff,
                                         const float4 *positions, const int *list, float *energies)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= atoms)
        return;
    float4 self = positions[i];
    float energy = 0.0f;
    for (int k = 0; k < neighbours; k++) {
        float4 other = positions[list[k * atoms + i]];
        float dx = other.x - self.x, dy = other.y - self.y, dz = other.z - self.z;
        float square = dx * dx + dy * dy + dz * dz;
        if (square < cutoff) {
            float inverse = 1.0f / square, sixth = inverse * inverse * inverse;
            energy += sixth * (sixth - 1.0f);
        }
    }
    energies[i] = 4.0f * energy;
}
