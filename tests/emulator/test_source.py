"""CUDA C++ source strings: compiled by NVRTC, run, with symbols, structures and shared memory."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.traces.emulator import Device, EmulationError, emulate
from warpwise.traces.nvrtc import compile_cuda

pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")

SOURCE = """
struct Line { float slope; int shift; };
__constant__ float weights[4];
__device__ int calls;
extern __shared__ float staged[];

extern "C" __global__ void line(Line l, const float *x, float *y) {
    int i = threadIdx.x;
    staged[i] = x[i];
    __syncthreads();
    y[i] = l.slope * staged[31 - i] + l.shift + weights[i & 3];
    if (i == 0) calls = calls + 1;
}
"""
X = np.arange(32, dtype=np.float32)


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_structures_are_bytes_and_shared_memory_is_dynamic(arch: str) -> None:
    y = np.zeros_like(X)
    emulate(compile_cuda(SOURCE, arch), "line", 1, 32, [struct.pack("<fi", 2, 5), X, y], shared=128)
    assert y.tolist() == (2 * X[::-1] + 5).tolist()


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_symbols_are_written_before_and_read_after_a_launch(arch: str) -> None:
    device = Device()
    module = device.load_module(compile_cuda(SOURCE, arch))
    x, y = device.allocate(128), device.allocate(128)
    parameters = struct.pack("<fiQQ", 1, 0, x, y)
    for weights in ((1, 2, 3, 4), (10, 20, 30, 40)):
        device.write(module.symbols["weights"].address, struct.pack("<4f", *weights))
        device.launch(module.kernels["line"], 1, 32, parameters, shared=128, record=False)
        assert np.frombuffer(device.read(y, 16), np.float32).tolist() == list(weights)
    assert device.read(module.symbols["calls"].address, 4) == struct.pack("<i", 2)


def test_what_does_not_compile_shows_the_log() -> None:
    with pytest.raises(InputError, match=r"mine.cu does not compile for sm_86:[\s\S]*undeclared"):
        compile_cuda("__global__ void f() { undeclared(); }", name="mine.cu")


FUNCTIONS = """
typedef int (*Function)(int);
__device__ __noinline__ int triple(int x) { return 3 * x; }
__device__ __noinline__ int next(int x) { return x + 1; }
__device__ Function table[2] = {triple, next};

struct Base { int k; __device__ virtual int apply(int) = 0; };
struct Sum : Base { __device__ int apply(int x) { return x + k; } };
struct Product : Base { __device__ int apply(int x) { return x * k; } };

extern "C" __global__ void pointers(int *a) {
    a[threadIdx.x] = table[a[threadIdx.x] & 1](a[threadIdx.x]);
}
extern "C" __global__ void virtuals(int *a) {
    Sum sum;
    Product product;
    sum.k = 3;
    product.k = 4;
    Base *chosen = threadIdx.x & 1 ? (Base *)&sum : (Base *)&product;
    a[threadIdx.x] = chosen->apply(a[threadIdx.x]);
}
extern "C" __global__ void prints(int *a) {
    a[0] = 9;
    if (a[threadIdx.x] > 30) printf("%d", a[0]);
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_calls_through_pointers_and_tables(arch: str) -> None:
    cubin, x = compile_cuda(FUNCTIONS, arch), np.arange(32, dtype=np.int32)
    for kernel, odd, even in (("pointers", x + 1, 3 * x), ("virtuals", x + 3, 4 * x)):
        a = x.copy()
        emulate(cubin, kernel, 1, 32, [a])
        assert np.array_equal(a, np.where(x % 2, odd, even))


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_functions_of_the_system_are_refused_when_they_are_called(arch: str) -> None:
    cubin = compile_cuda(FUNCTIONS, arch)
    a = np.arange(32, dtype=np.int32)
    emulate(cubin, "prints", 1, 31, [a])
    assert a[0] == 9
    with pytest.raises(EmulationError, match=r"thread \(31, 0, 0\): calls vprintf, which is not"):
        emulate(cubin, "prints", 1, 32, [a])


SWITCH = """
extern "C" __global__ void choose(const int *x, int *y) {
    int v = x[threadIdx.x], r = 0;
    switch (v) {
        case 0: r = y[0] * 3; break;
        case 1: r = __popc(v + 6); break;
        case 2: y[40] = 1; r = 4; break;
        case 3: r = y[v]; break;
        case 4: r = 100 / y[v]; break;
        case 5: r = y[6] + 8; break;
        case 6: r = v + y[7]; break;
        case 7: r = y[1] - v; break;
    }
    y[threadIdx.x] = r;
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_switches_of_a_compiler(arch: str) -> None:
    x, y = np.arange(32, dtype=np.int32) % 9, np.arange(64, dtype=np.int32) + 10
    expected = [10 * 3, 3, 4, 13, 100 // 14, 16 + 8, 6 + 17, 11 - 7, 0]
    emulate(compile_cuda(SWITCH, arch), "choose", 1, 32, [x, y])
    assert y[:32].tolist() == [expected[v] for v in x]
    assert y[40] == 1


PIPELINE = """
extern "C" __global__ void pipeline(const int *x, int *y, int full, int threads) {
    __shared__ int staged[32];
    int lane = threadIdx.x & 31, empty = full + 1;
    for (int i = 0; i < 4; i++) {
        if (threadIdx.x < 32) {  // the first warp brings what the second one takes
            if (i) asm volatile("bar.sync %0, %1;" :: "r"(empty), "r"(threads) : "memory");
            staged[lane] = x[32 * i + lane];
            asm volatile("bar.arrive %0, 64;" :: "r"(full) : "memory");
        } else if (threadIdx.x < 64) {
            asm volatile("bar.sync %0, %1;" :: "r"(full), "r"(threads) : "memory");
            y[32 * i + lane] = staged[31 - lane];
            if (i < 3) asm volatile("bar.arrive 4, %0;" :: "r"(threads) : "memory");
        }
    }
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_barriers_of_some_threads_let_warps_pass_data_on(arch: str) -> None:
    x, y = np.arange(128, dtype=np.int32), np.zeros(128, np.int32)
    emulate(compile_cuda(PIPELINE, arch), "pipeline", 2, 96, [x, y, 3, 64])
    assert np.array_equal(y.reshape(4, 32), x.reshape(4, 32)[:, ::-1])
    with pytest.raises(EmulationError, match="waits at barriers that cannot open"):
        emulate(compile_cuda(PIPELINE, arch), "pipeline", 1, 96, [x, y, 3, 96])


VOTES = """
extern "C" __global__ void votes(const int *x, int *y) {
    int t = threadIdx.x, v = x[blockIdx.x * blockDim.x + t];
    int some = __syncthreads_or(v > 90), all = __syncthreads_and(v > 5);
    y[blockIdx.x * blockDim.x + t] = __syncthreads_count(v > 50) * 4 + some * 2 + all;
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_barriers_combine_predicates_of_the_cta(arch: str) -> None:
    x = np.random.default_rng(5).integers(0, 93, 4 * 80).astype(np.int32)
    x[:80] += 6  # all of the first CTA
    x[80:160] //= 2  # none of the second
    y = np.zeros_like(x)
    emulate(compile_cuda(VOTES, arch), "votes", 4, 80, [x, y])
    ctas = x.reshape(4, 80)
    expected = (ctas > 50).sum(axis=1) * 4 + (ctas > 90).any(axis=1) * 2 + (ctas > 5).all(axis=1)
    assert np.array_equal(y.reshape(4, 80), np.repeat(expected, 80).reshape(4, 80))
    assert set(expected % 4) > {0, 3}


SPACES = """
extern "C" __global__ void spaces(int *a, int *y) {
    __shared__ int s[32];
    int l[32], t = threadIdx.x;
    s[t] = l[t] = t;
    int *p = t % 3 == 0 ? a + t : t % 3 == 1 ? s + t : l + t;
    y[t] = __isGlobal(p) + 2 * __isShared(p) + 4 * __isLocal(p) + 8 * *p;
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_pointers_tell_their_memory(arch: str) -> None:
    a, y = np.arange(32, dtype=np.int32), np.zeros(32, np.int32)
    emulate(compile_cuda(SPACES, arch), "spaces", 1, 32, [a, y])
    assert y.tolist() == [2 ** (i % 3) + 8 * i for i in range(32)]


GROUPS = """
extern "C" __global__ void groups(int *y) {
    __shared__ int staged[256];
    int t = threadIdx.x, group = t / 64 + 1;
    for (int i = 0; i < 3; i++) {  // each pair of warps has a barrier of its own
        staged[t] = t + i;
        asm volatile("bar.sync %0, 64;" :: "r"(group) : "memory");
        y[256 * i + t] = staged[t ^ 63];
        asm volatile("bar.sync %0, 64;" :: "r"(group) : "memory");
    }
}
"""


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_groups_of_warps_have_barriers_of_their_own(arch: str) -> None:
    y, t = np.zeros(3 * 256, np.int32), np.arange(256)
    emulate(compile_cuda(GROUPS, arch), "groups", 2, 256, [y])
    assert np.array_equal(y.reshape(3, 256), np.arange(3)[:, None] + (t ^ 63))


@pytest.mark.parametrize("arch", ["sm_75", "sm_86"])
def test_a_cta_may_wait_for_the_last_one_that_fits_on_the_gpu(arch):
    """84 SMs hold 504 CTAs of eight warps."""
    source = """
    extern "C" __global__ void wait(volatile int *flag, int *seen)
    {
        if (blockIdx.x == gridDim.x - 1)
            *flag = 7;
        while (*flag == 0)
            ;
        seen[blockIdx.x] = *flag;
    }
    """
    flag, seen = np.zeros(1, np.int32), np.zeros(504, np.int32)
    emulate(compile_cuda(source, arch), "wait", 504, 256, [flag, seen])
    assert (seen == 7).all()
