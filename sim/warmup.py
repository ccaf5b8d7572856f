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
from .compiled import allocate
from .core import instruction, subcore
from .gpu import gpu
from .machine.record import MACHINE
from .sm import cta, l1_icache, memory_unit, sm
from .sm.coalescer import LANES, coalesce, rooms


def is_compiled() -> bool:
    """Whether the engine is in the cache, in this version, or numba is switched off."""
    return bool(numba.config.DISABLE_JIT) or any(
        (cache_folder() / "code" / gpu.run.digest).rglob("*.nbi")
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
    none = np.zeros(0, np.int64)
    coalesce(
        rooms(),
        np.zeros((0, LANES), np.int64),
        none.astype(np.uint32),
        none.astype(np.uint32),
        none.astype(np.int16),
        none,
        *(1, 1, 1),
        allocate(instruction.ACCESS, 0),
        allocate(instruction.LINE, 0),
    )


def compile_sm_units() -> None:
    """What the sub-cores of an SM share."""
    memory_unit.step.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    cta.launch_due.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    l1_icache.step.compile(_types(sm.SM, instruction.KERNEL, MACHINE))
    l1_icache.grant.compile(_types(sm.SM, MACHINE))
    l1_icache.next_at.compile(_types(sm.SM))
