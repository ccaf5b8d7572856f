"""Kernels of a few instructions over whole arrays: text for the code, a function for addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...sim import engine
from ...sim.machine.load import load
from ...traces.handwritten import parse
from ...traces.kernel import WARP_SIZE, Accesses, Cta, Kernel, Warp

# Thread numbers of a warp, shape (32,), to addresses of its accesses, shape (rows, 32).
Addresses = Callable[[NDArray[np.int64]], NDArray[np.int64]]

KERNEL = """
.arch sm_86
.kernel {name}
.block {block}
.grid {grid}
.warm icache const
{code}
[B------:R-:W-:-:S01] EXIT ;
"""


def kernel(name: str, code: str, grid: int, block: int, addresses: Addresses) -> Kernel:
    """`code` in each thread; `addresses` replaces those of all its memory instructions."""
    text = KERNEL.format(name=name, code=code, grid=grid, block=block)
    plain = parse(text).kernels[0]

    def load_cta(number: int) -> Cta:
        def warp(w: int, path: Warp) -> Warp:
            threads = number * block + w * WARP_SIZE + np.arange(WARP_SIZE)
            return Warp(path.path, Accesses(addresses(threads), path.accesses.shared))

        return Cta(number, tuple(warp(w, old) for w, old in enumerate(template.warps)))

    template = plain.load_cta(0)
    return replace(plain, load_cta=load_cta)


def cycles(kernel: Kernel, gpu: str, sms: int | None = None) -> int:
    """Execution cycles on a cold GPU."""
    return engine.simulate(kernel, load(gpu), sms).execution_cycles
