"""CUDA C++ source strings: compiled by NVRTC, run, with symbols, structures and shared memory."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.traces.emulator import Device, emulate
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
