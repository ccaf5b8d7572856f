"""Optional checks: reads of what nobody wrote, and races of warps in shared memory."""

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.traces.emulator import Device, EmulationError, emulate
from warpwise.traces.launch import load_launch, run_launch
from warpwise.traces.nvrtc import compile_cuda
from warpwise.validation.kernels.zoo import application, cubin

SOURCE = """
extern "C" __global__ void copy(const int *from, int *to)
{
    to[threadIdx.x] = from[threadIdx.x];
}
extern "C" __global__ void reverse(int barrier, int write, int *to)
{
    __shared__ int values[64];
    int t = threadIdx.x;
    if (write || t != 5)
        values[t] = t;
    if (barrier)
        __syncthreads();
    to[t] = values[63 - t];
}
extern "C" __global__ void overwrite(int barrier, int *to)
{
    __shared__ int values[64];
    int t = threadIdx.x;
    values[t] = t;
    __syncthreads();
    int value = values[63 - t];
    if (barrier)
        __syncthreads();
    values[t] = value;
    to[t] = values[t];
}
extern "C" __global__ void same_place(int *to)
{
    __shared__ int value;
    value = threadIdx.x / 32;
    __syncthreads();
    to[threadIdx.x] = value;
}
extern "C" __global__ void count(int *to)
{
    __shared__ int total;
    if (threadIdx.x == 0)
        total = 0;
    __syncthreads();
    atomicAdd(&total, 1);
    __syncthreads();
    to[threadIdx.x] = total;
}
"""


@pytest.fixture(scope="module")
def binary():
    return compile_cuda(SOURCE, "sm_86")


def run(binary, kernel, *args, checks=("races", "uninitialised")):
    to = np.zeros(64, np.int32)
    emulate(binary, kernel, 1, 64, [*(np.int32(a) for a in args), to], checks=checks)
    return to


def test_a_barrier_makes_it_right(binary):
    assert run(binary, "reverse", 1, 1).tolist() == list(range(63, -1, -1))
    assert run(binary, "overwrite", 1).tolist() == list(range(63, -1, -1))


def test_reading_what_another_warp_wrote_just_now(binary):
    place = r"kernel reverse, 0x\w+ LDS\S* .*: CTA \(0, 0, 0\), thread \((0|32), 0, 0\): "
    with pytest.raises(EmulationError, match=place + r"reads shared memory that warp [01] wrote"):
        run(binary, "reverse", 0, 1)
    run(binary, "reverse", 0, 1, checks=())


def test_writing_what_another_warp_reads(binary):
    with pytest.raises(EmulationError, match=r"STS.*: writes shared memory that warp [01] read"):
        run(binary, "overwrite", 0)


def test_two_warps_that_write_the_same_bytes(binary):
    with pytest.raises(EmulationError, match=r"writes shared memory that warp 0 wrote"):
        run(binary, "same_place")


def test_atomics_do_not_race(binary):
    assert run(binary, "count").tolist() == [64] * 64


def test_shared_memory_that_nobody_wrote(binary):
    message = r"thread \(58, 0, 0\): reads shared memory that nobody wrote"
    with pytest.raises(EmulationError, match=message):
        run(binary, "reverse", 1, 0)
    run(binary, "reverse", 1, 0, checks=["races"])


def test_device_memory_that_nobody_wrote(binary):
    device = Device(["uninitialised"])
    kernel = device.load_module(binary).kernels["copy"]
    from_, to = device.allocate(256), device.allocate(256)
    parameters = b"".join(a.to_bytes(8, "little") for a in (from_, to))
    device.write(from_, bytes(252))
    with pytest.raises(
        EmulationError, match=r"thread \(63, 0, 0\): reads global memory that nobody"
    ):
        device.launch(kernel, 1, 64, parameters)
    device.fill(from_ + 252, 0, 4)
    device.launch(kernel, 1, 64, parameters)
    device.free(from_)
    assert device.allocate(256) == from_
    with pytest.raises(EmulationError, match="nobody wrote"):
        device.launch(kernel, 1, 64, parameters)


def test_unknown_checks():
    with pytest.raises(InputError, match="no check is called leaks; known are races, uninit"):
        Device(["leaks"])


def test_a_launch_file_asks_for_checks(binary, tmp_path):
    (tmp_path / "reverse.cubin").write_bytes(binary)
    launch = """
checks = ["races"]
[[launch]]
kernel = "reverse"
grid = [1]
block = [64]
args = [{ i32 = 0 }, { i32 = 1 }, { buffer = "to" }]
[buffer.to]
dtype = "i32"
shape = [64]
"""
    (tmp_path / "launch.toml").write_text(launch)
    with pytest.raises(EmulationError, match="since the last barrier"):
        run_launch(tmp_path / "reverse.cubin", load_launch(tmp_path / "launch.toml"))


@pytest.mark.parametrize("name", ["sgemm_tiled", "hgemm_tensor", "scan_blelloch", "layer_norm"])
def test_the_zoo_has_neither(name):
    for launch in application(name).launches:
        emulate(
            cubin(name, "sm_86"),
            launch.kernel,
            launch.grid,
            launch.block,
            launch.args,
            launch.shared,
            checks=("races", "uninitialised"),
        )
