"""Compile the engine on two cores: its largest stage in a process of its own.

Numba compiles one function at a time, but its cache is shared: what the other process has compiled
is loaded. Everything else is compiled on the way, by the first simulation.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numba
import numpy as np

from ..isa.files import cache_folder
from ..traces.handwritten import parse
from .core import instruction, subcore
from .gpu import gpu as whole
from .lowering import program_table
from .machine.load import load
from .machine.record import MACHINE
from .sm import cta, l1_icache, memory_unit, sm
from .streams import Streams

LOAD = """
.arch sm_86
.kernel load
[B------:R-:W0:-:S02] LDG.E R2, [R2.64] ;
[B0-----:R-:W-:-:S05] EXIT ;
"""


def is_compiled() -> bool:
    """Whether the engine is in the cache, in this version, or numba is switched off."""
    return bool(numba.config.DISABLE_JIT) or any(
        (cache_folder() / "code" / whole.run.digest).rglob("*.nbi")
    )


def compile_engine() -> None:
    """Fill the cache with the stages that take longest."""
    command = f"from {__name__} import compile_subcore; compile_subcore()"
    with subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.DEVNULL):
        compile_sm_units()


def _types(*dtypes: np.dtype[Any]) -> tuple[Any, ...]:
    return (*map(numba.from_dtype, dtypes), numba.int64)


def compile_subcore() -> None:
    """The stages of a sub-core, and the coalescing of addresses."""
    subcore.step.compile(_types(subcore.SUBCORE, sm.SM, instruction.KERNEL, MACHINE))
    [kernel] = parse(LOAD).kernels
    gpu = load().gpu
    Streams(kernel, gpu, program_table(kernel.program, gpu))


def compile_sm_units() -> None:
    """What the sub-cores of an SM share."""
    memory_unit.step.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    cta.launch_due.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    l1_icache.step.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    l1_icache.grant.compile(_types(sm.SM, MACHINE))
    l1_icache.next_at.compile(_types(sm.SM))
