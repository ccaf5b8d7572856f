// One warp multiplies one tile: fragments are loaded element by element, as the PTX ISA lays them out.
typedef unsigned int u32;

#define LANE int lane = threadIdx.x, g = lane >> 2, t = lane & 3

__device__ u32 pair(const unsigned short *m, int row, int column, int pitch) {
  return m[row * pitch + column] | u32(m[row * pitch + column + 1]) << 16;
}

__device__ u32 pair_down(const unsigned short *m, int row, int column, int pitch) {
  return m[row * pitch + column] | u32(m[(row + 1) * pitch + column]) << 16;
}

// D (16 x 8, float) = A (16 x 8, half) B (8 x 8, half) + C
extern "C" __global__ void f16_k8(const unsigned short *a, const unsigned short *b, float *c) {
  LANE;
  u32 a0 = pair(a, g, 2 * t, 8), a1 = pair(a, g + 8, 2 * t, 8), b0 = pair_down(b, 2 * t, g, 8);
  float *p = c + g * 8 + 2 * t, *q = p + 64;
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
      : "+f"(p[0]), "+f"(p[1]), "+f"(q[0]), "+f"(q[1])
      : "r"(a0), "r"(a1), "r"(b0));
}

// The same with half accumulators.
extern "C" __global__ void f16_k8_half(const unsigned short *a, const unsigned short *b,
                                       unsigned short *c) {
  LANE;
  u32 a0 = pair(a, g, 2 * t, 8), a1 = pair(a, g + 8, 2 * t, 8), b0 = pair_down(b, 2 * t, g, 8);
  u32 *p = (u32 *)(c + g * 8 + 2 * t), *q = p + 32;
  asm("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3}, {%4}, {%0,%1};"
      : "+r"(*p), "+r"(*q)
      : "r"(a0), "r"(a1), "r"(b0));
}

// D (8 x 8, int) = A (8 x 16, signed bytes) B (16 x 8, given as its columns) + C
extern "C" __global__ void s8_k16(const u32 *a, const u32 *b, int *c) {
  LANE;
  int *p = c + g * 8 + 2 * t;
  asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
      : "+r"(p[0]), "+r"(p[1])
      : "r"(a[g * 4 + t]), "r"(b[g * 4 + t]));
}

// Out = the transpose of an 8 x 8 matrix of halves.
extern "C" __global__ void transpose(const u32 *in, u32 *out) {
  u32 r;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(r) : "r"(in[threadIdx.x]));
  out[threadIdx.x] = r;
}

// out = a b + (a + b b) in packed halves; wide = the low half of a plus the high one of b.
extern "C" __global__ void halves(const u32 *a, const u32 *b, u32 *out, float *wide) {
  int i = threadIdx.x;
  u32 x = a[i], y = b[i], s;
  asm("mul.rn.f16x2 %0, %1, %1;" : "=r"(s) : "r"(y));
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(s) : "r"(x), "r"(s));
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(out[i]) : "r"(x), "r"(y), "r"(s));
  float low, high;
  asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, l;}" : "=f"(low) : "r"(x));
  asm("{.reg .f16 l, h; mov.b32 {l, h}, %1; cvt.f32.f16 %0, h;}" : "=f"(high) : "r"(y));
  wide[i] = low + high;
}

#if __CUDA_ARCH__ >= 800
// D (16 x 8, float) = A (16 x 16, half) B (16 x 8, half) + C
extern "C" __global__ void f16_k16(const unsigned short *a, const unsigned short *b, float *c) {
  LANE;
  u32 a0 = pair(a, g, 2 * t, 16), a1 = pair(a, g + 8, 2 * t, 16);
  u32 a2 = pair(a, g, 2 * t + 8, 16), a3 = pair(a, g + 8, 2 * t + 8, 16);
  u32 b0 = pair_down(b, 2 * t, g, 8), b1 = pair_down(b, 2 * t + 8, g, 8);
  float *p = c + g * 8 + 2 * t, *q = p + 64;
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(p[0]), "+f"(p[1]), "+f"(q[0]), "+f"(q[1])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// The same with bfloat16.
extern "C" __global__ void bf16_k16(const unsigned short *a, const unsigned short *b, float *c) {
  LANE;
  u32 a0 = pair(a, g, 2 * t, 16), a1 = pair(a, g + 8, 2 * t, 16);
  u32 a2 = pair(a, g, 2 * t + 8, 16), a3 = pair(a, g + 8, 2 * t + 8, 16);
  u32 b0 = pair_down(b, 2 * t, g, 8), b1 = pair_down(b, 2 * t + 8, g, 8);
  float *p = c + g * 8 + 2 * t, *q = p + 64;
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(p[0]), "+f"(p[1]), "+f"(q[0]), "+f"(q[1])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// D (16 x 8, float) = A (16 x 8, TF32) B (8 x 8, TF32) + C
extern "C" __global__ void tf32_k8(const u32 *a, const u32 *b, float *c) {
  LANE;
  float *p = c + g * 8 + 2 * t, *q = p + 64;
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(p[0]), "+f"(p[1]), "+f"(q[0]), "+f"(q[1])
      : "r"(a[g * 8 + t]), "r"(a[(g + 8) * 8 + t]), "r"(a[g * 8 + t + 4]),
        "r"(a[(g + 8) * 8 + t + 4]), "r"(b[t * 8 + g]), "r"(b[(t + 4) * 8 + g]));
}

// D (16 x 8, int) = A (16 x 32, bytes) B (32 x 8, given as its columns) + C
extern "C" __global__ void u8_k32(const u32 *a, const u32 *b, int *c) {
  LANE;
  int *p = c + g * 8 + 2 * t, *q = p + 64;
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+r"(p[0]), "+r"(p[1]), "+r"(q[0]), "+r"(q[1])
      : "r"(a[g * 8 + t]), "r"(a[(g + 8) * 8 + t]), "r"(a[g * 8 + t + 4]),
        "r"(a[(g + 8) * 8 + t + 4]), "r"(b[g * 8 + t]), "r"(b[g * 8 + t + 4]));
}
#endif
