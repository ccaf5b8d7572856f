"""Functional emulator: runs the SASS of a cubin on the CPU to check it and to make traces.

CTAs run in lock step, vectorised with numpy over all warps that are at the same instruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...isa.errors import InputError
from ...isa.program import Program
from ..kernel import Kernel, Trace
from . import (  # noqa: F401 - opcodes
    control,
    conversion,
    double,
    floating,
    half,
    integer,
    loadstore,
    special,
    tensor,
    texture,
    warp,
)
from .arguments import Argument, Buffers, arrays_of, pack_arguments
from .device import Device, Module, Symbol
from .errors import EmulationError, UnsupportedError
from .semantics import TABLE
from .texture import Texture

__all__ = [
    "Device",
    "EmulationError",
    "Module",
    "Symbol",
    "Texture",
    "UnsupportedError",
    "emulate",
    "emulate_program",
    "opcodes",
]

PRODUCER = "warpwise emulator"


def emulate(
    cubin: str | Path | bytes,
    kernel: str | None,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    shared: int = 0,
    checks: Iterable[str] = (),
) -> Trace:
    """Run a kernel of a cubin, update the arrays among `args` in place, and return the trace.

    Arrays are pointers, numpy scalars keep their size, Python numbers take the parameter's size.
    `shared` is dynamic shared memory in bytes. A cubin with one kernel needs no name. `checks` are
    those of a `Device`.
    """
    device = Device(checks)
    buffers = Buffers(device, arrays_of(args))
    program = only_kernel(cubin, device.load_module(cubin, kernel))
    result = emulate_program(device, program, grid, block, args, buffers, shared)
    buffers.copy_back()
    return Trace((result,), source=source_name(cubin), producer=PRODUCER)


def source_name(cubin: str | Path | bytes) -> str:
    """What messages and traces call a cubin."""
    return "cubin in memory" if isinstance(cubin, bytes) else str(cubin)


def only_kernel(cubin: str | Path | bytes, module: Module) -> Program:
    """The only kernel of a module."""
    if len(module.kernels) != 1:
        names = ", ".join(module.kernels) or "none"
        raise InputError(f"{source_name(cubin)}: name one of its kernels: {names}")
    return next(iter(module.kernels.values()))


def emulate_program(
    device: Device,
    program: Program,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    buffers: Buffers,
    shared: int = 0,
) -> Kernel:
    """Run a program on a device whose `buffers` hold the arrays among `args`."""
    parameters = pack_arguments(program, args, buffers)
    kernel = device.launch(program, grid, block, parameters, shared)
    assert kernel is not None
    return kernel


def opcodes() -> list[str]:
    """The opcodes that have semantics."""
    return sorted(TABLE)
