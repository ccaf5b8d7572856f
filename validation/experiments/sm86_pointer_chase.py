"""Dependent 64-bit loads of one thread over buffers that fit the L1, the L2 or neither, on an A40.

What its memory adds was fitted on the row of 9 MB, which is left out; L1 and L2 are those of the
RTX A6000, taken from other measurements. Buffers a little larger than what the L1 can hold show how
lines are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .addressed import cycles, kernel
from .measurement import A40, Measurement
from .published import table

LINE = 128
BASE = 0x10000000
L1_LINES = 1024  # all lines that an L1 can hold
STEPS = 512
LOAD = "[B0-----:R-:W0:-:S02] LDG.E.64 R2, [R2.64] ;"


def latency(buffer_kb: float) -> float:
    """Cycles of a load, once the buffer has been walked; of large buffers, a part is walked."""
    lines = int(buffer_kb * 1024) // LINE
    if lines * LINE > 6 << 20:
        return _per_load(lines, 0)  # nothing that is loaded is ever found
    return _per_load(lines, min(lines, 2 * L1_LINES))


def _per_load(lines: int, before: int) -> float:
    """Cycles of each of `STEPS` loads that follow on `before` others."""
    walked = before or lines
    step = lines // walked
    return (_walk(walked, step, before + STEPS) - _walk(walked, step, before + 1)) / (STEPS - 1)


def _walk(lines: int, step: int, loads: int) -> int:
    places = np.arange(loads) % lines * step * LINE + BASE

    def addresses(threads: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.broadcast_to(places[:, None], (loads, len(threads)))

    return cycles(kernel("chase", f"@repeat {loads} {LOAD}", 1, 1, addresses), A40, 1)


def _level(size_kb: float) -> str:
    return "pointer chase: edge of the L1" if 104 < size_kb < 200 else "pointer chase"


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_pointer_chase"):
        size = float(row["buffer_kb"])
        yield Measurement(
            _level(size),
            f"{size:.0f} KB",
            float(row["latency_cycles_median"]),
            row["source"],
            partial(latency, size),
        )
