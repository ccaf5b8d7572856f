"""How fast the emulator is on one core: `pytest -m benchmark`, with and without a trace."""

from pathlib import Path

import numpy as np
import pytest

from warpwise.traces.emulator import Device
from warpwise.traces.emulator.arguments import Buffers, arrays_of, pack_arguments

KERNELS = Path(__file__).parents[2] / "traces" / "kernels"
N = 1 << 18
SIDE = 256
COLLATZ = 1 << 16


def floats(*shape):
    return np.random.default_rng(1).random(shape, np.float32)


MATRICES = [floats(SIDE, SIDE) for _ in range(3)]
LAUNCHES = {
    "saxpy": (N // 256, 256, [np.int32(N), np.float32(2), floats(N), floats(N)]),
    "reduction": (N // 256, 256, [np.int32(N), floats(N), floats(N // 256)]),
    "matmul": (
        (SIDE // 16, SIDE // 16),
        (16, 16),
        [np.int32(SIDE), *MATRICES],
    ),
    "collatz": (COLLATZ // 256, 256, [np.int32(COLLATZ), np.zeros(COLLATZ, np.int32)]),
}


@pytest.mark.benchmark
@pytest.mark.parametrize("record", [False, True], ids=["no trace", "trace"])
@pytest.mark.parametrize("name", LAUNCHES)
def test_warp_instructions_per_second(benchmark, name, record):
    grid, block, args = LAUNCHES[name]
    device = Device()
    buffers = Buffers(device, arrays_of(args))
    (program,) = device.load_module(KERNELS / f"{name}.sm_86.cubin").kernels.values()
    parameters = pack_arguments(program, args, buffers)
    kernel = device.launch(program, grid, block, parameters)
    ctas = (kernel.load_cta(number) for number in range(kernel.n_ctas))
    instructions = sum(len(warp.path.pcs) for cta in ctas for warp in cta.warps)
    benchmark(device.launch, program, grid, block, parameters, record=record)
    rate = instructions / benchmark.stats.stats.min
    benchmark.extra_info["warp_inst_per_s"] = round(rate)
