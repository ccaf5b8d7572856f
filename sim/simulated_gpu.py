"""A GPU model as the programs that are traced see it."""

from __future__ import annotations

import sys

from ..isa.errors import InputError
from ..isa.program import Program
from ..traces.kernel import Cta, Kernel
from ..traces.runtime import GpuFacts
from .machine.schema import Gpu
from .occupancy import occupancy


def facts(gpu: Gpu) -> GpuFacts:
    """What the CUDA runtime says about a GPU."""
    limits = gpu.sm.occupancy
    return GpuFacts(
        name=f"NVIDIA {gpu.name}",
        arch=gpu.arch,
        sms=gpu.sms,
        core_khz=round(gpu.clock.core_mhz * 1000),
        dram_khz=round(gpu.clock.dram_mhz * 1000),
        l2_bytes=gpu.l2.size_kib * 1024,
        warps=limits.warps,
        ctas=limits.ctas,
        registers=limits.registers,
        shared_bytes=limits.shared_kib * 1024,
        shared_reserved_bytes=limits.shared_reserved_bytes,
        occupancy=lambda program, threads, shared: resident(gpu, program, threads, shared),
    )


def resident(gpu: Gpu, program: Program, threads: int, shared: int) -> int:
    """CTAs of some threads and dynamic shared memory that an SM holds; 0 if not even one fits."""
    kernel = Kernel(
        program,
        grid=(sys.maxsize, 1, 1),  # never what limits
        block=(threads, 1, 1),
        load_cta=_no_cta,
        shared_bytes=program.shared_bytes + shared,
    )
    try:
        return occupancy(kernel, gpu, sms=1).ctas
    except InputError:
        return 0


def _no_cta(number: int) -> Cta:
    raise NotImplementedError("a kernel without a launch has no CTAs")
