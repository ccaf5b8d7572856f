"""Functional emulator: runs the SASS of a cubin on the CPU to check it and to make traces.

CTAs run in lock step, vectorised with numpy over all warps that are at the same instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...isa import cubin as cubins
from ...isa.errors import InputError
from ...isa.program import Program
from ..kernel import Kernel, Trace
from . import control, conversion, double, floating, integer, loadstore, warp  # noqa: F401 - opcodes
from .arguments import Argument, arrays_of, pack_arguments
from .constants import constant_banks
from .errors import EmulationError, UnsupportedError
from .machine import MAX_STEPS, run
from .memory import GlobalMemory
from .semantics import TABLE
from .state import Dim, Launch

__all__ = ["EmulationError", "UnsupportedError", "emulate", "emulate_program", "opcodes"]

STACK_BYTES = 1024  # beside the declared frame, for recursion and the like
MAX_THREADS = 1024
MAX_SHARED_BYTES = 164 * 1024  # of a CTA, the largest configuration of these architectures
PRODUCER = "warpwise emulator"


def emulate(
    cubin: str | Path,
    kernel: str | None,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    shared: int = 0,
) -> Trace:
    """Run a kernel of a cubin, update the arrays among `args` in place, and return the trace.

    Arrays are pointers, numpy scalars keep their size, Python numbers take the parameter's size.
    `shared` is dynamic shared memory in bytes. A cubin with one kernel needs no name.
    """
    program = choose_kernel(cubin, kernel)
    memory = GlobalMemory(arrays_of(args), program.global_image)
    result = emulate_program(program, grid, block, args, memory, shared)
    memory.copy_back()
    return Trace((result,), source=str(cubin), producer=PRODUCER)


def choose_kernel(cubin: str | Path, kernel: str | None) -> Program:
    """The named kernel of a cubin, or its only one."""
    programs = cubins.load(cubin, kernel)
    if len(programs) != 1:
        raise InputError(f"{cubin}: name one of its kernels: {', '.join(programs) or 'none'}")
    return next(iter(programs.values()))


def emulate_program(
    program: Program,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    memory: GlobalMemory,
    shared: int = 0,
    launch: int = 0,
    max_steps: int = MAX_STEPS,
) -> Kernel:
    """Run a program on a memory that holds the arrays among `args`."""
    local_bytes = program.local_bytes + STACK_BYTES
    shape = dimensions("grid", grid), dimensions("block", block)
    shared_bytes = program.shared_bytes + shared
    if shared < 0 or shared_bytes > MAX_SHARED_BYTES:
        raise InputError(f"kernel {program.name}: {shared_bytes} bytes of shared memory")
    parameters = pack_arguments(program, args, memory)
    banks = constant_banks(program, *shape, parameters, local_bytes, memory.image_address)
    state = Launch(program, *shape, shared_bytes, local_bytes, banks, memory)
    if state.threads > MAX_THREADS:
        raise InputError(f"kernel {program.name}: a block has at most {MAX_THREADS} threads")
    return run(state, launch, max_steps)


def dimensions(what: str, size: int | Sequence[int]) -> Dim:
    """Up to three positive sizes, as (x, y, z)."""
    sizes: list[Any] = [size] if isinstance(size, int) else list(size)
    if not 1 <= len(sizes) <= 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise InputError(f"{what} {size} is not one to three positive integers")
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def opcodes() -> list[str]:
    """The opcodes that have semantics."""
    return sorted(TABLE)
