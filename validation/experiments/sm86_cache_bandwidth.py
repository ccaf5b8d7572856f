"""Bandwidth of an SM over the size of an array that all SMs of an A40 read again and again.

1024 threads of each SM read 32-bit words, unrolled so that 16 loads of a thread are on their way.
Nothing was fitted here. Between L1 and L2 the rate depends on how the L1 replaces its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .addressed import cycles, kernel
from .measurement import A40, Measurement
from .published import table

SMS, THREADS, WORD = 84, 1024, 4
PASS_KIB = THREADS * WORD / 1024  # that a load of all threads reads
BASE = 0x10000000
UNROLLED = 16
LOAD = "[B------:R-:W0:-:S02] LDG.E R8, [R2.64] ;\n"
BATCH = LOAD.replace("B-", "B0") + (UNROLLED - 1) * LOAD
MEET = "[B0-----:R-:W-:-:S01] BAR.SYNC 0x0 ;\n"
SOME = 64  # loads of a thread before the timed ones, where an array stays in no cache
TIMED = 256
L1_KIB, L2_KIB = 128, 6144


def _cycles(words: int, before: int, timed: int) -> int:
    """Cycles of loads that bring the array in, and of others behind a barrier."""
    code = before // UNROLLED * BATCH + MEET + timed // UNROLLED * BATCH
    loads = np.arange(before + timed)[:, None]

    def addresses(threads: NDArray[np.int64]) -> NDArray[np.int64]:
        return BASE + WORD * ((loads * THREADS + threads % THREADS) % words)

    return cycles(kernel("read", code, SMS, THREADS, addresses), A40)


def bandwidth(size_kib: float) -> float:
    """Bytes per cycle of an SM."""
    words = int(size_kib * 1024) // WORD
    passes = int(size_kib / PASS_KIB) if size_kib <= L2_KIB else SOME
    before = -(-passes // UNROLLED) * UNROLLED
    few, many = (_cycles(words, before, n) for n in (UNROLLED, UNROLLED + TIMED))
    return TIMED * THREADS * WORD / (many - few)


def _level(size_kib: float) -> str:
    if size_kib <= L1_KIB:
        return "L1"
    if size_kib < 2 * L1_KIB:
        return "between L1 and L2"
    return "L2" if size_kib <= L2_KIB else "beyond the L2"


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_cache_bandwidth"):
        size = float(row["data_set_kb"])
        yield Measurement(
            f"cache bandwidth: {_level(size)}",
            f"{size:.0f} KB",
            float(row["bytes_per_cycle_per_sm"]),
            row["source"],
            partial(bandwidth, size),
        )
