"""Rates of streams of an A40's memory by how many threads an SM holds.

Each thread treats one element of 64 bits, so that a short CTA follows on another. How long that
takes (`launch.refill_latency`) was fitted on the least occupancy of `init`, and what refresh and
turnarounds cost on full occupancy. These are left out: the other rows are predictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from ...sim import engine
from ...sim.machine.load import load
from .addressed import kernel
from .measurement import A40, Measurement
from .published import table

ELEMENT = 8  # bytes
SMS = 84
BASE, ARRAY = 1 << 32, 1 << 30  # addresses of the arrays
BEGIN = """
[B------:R-:W0:-:S01] S2R R0, SR_CTAID.X ;
[B------:R-:W0:-:S02] S2R R3, SR_TID.X ;
[B0-----:R-:W-:-:S05] IMAD R0, R0, c[0x0][0x0], R3 ;
[B------:R-:W-:-:S13] ISETP.GE.AND P0, PT, R0, c[0x0][0x160], PT ;
[B------:R-:W-:-:S05] @!PT EXIT ;
[B------:R-:W-:-:S02] MOV R5, 0x8 ;
"""
ADDRESS = "[B------:R-:W-:-:S04] IMAD.WIDE R{0}, R0, R5, c[0x0][0x168] ;\n"
READ = "[B------:R-:W0:-:S02] LDG.E.64 R{0}, [R{0}.64] ;\n"
WRITE = "[B01----:R-:W-:-:S02] STG.E.64 [R20.64], R6 ;\n"
CODE = {
    "init": ADDRESS.format(20) + WRITE,
    "read": ADDRESS.format(6)
    + READ.format(6)
    + "[B0-----:R-:W-:-:S13] DSETP.NEU.AND P0, PT, R6, RZ, PT ;",
    "scale": ADDRESS.format(6)
    + READ.format(6)
    + ADDRESS.format(20)
    + "[B0-----:R-:W1:-:S02] DMUL R6, R6, R14 ;\n"
    + WRITE,
    "triad": "".join(ADDRESS.format(r) for r in (6, 8, 10))
    + "".join(READ.format(r) for r in (6, 8, 10))
    + ADDRESS.format(20)
    + "[B0-----:R-:W1:-:S02] DFMA R6, R6, R8, R10 ;\n"
    + WRITE,
}
ARRAYS = {"init": 1, "read": 1, "scale": 2, "triad": 4}  # that a thread accesses
LEAST = 64, 1  # threads of a CTA, and CTAs of an SM
PREDICTED = ("read", "scale", "triad")  # with so few
WRITTEN = 8 << 20  # bytes of an array, more than the L2 keeps back


@cache
def _cycles(name: str, block: int, per_sm: int, waves: int, **changes: float) -> int:
    def addresses(threads: NDArray[np.int64]) -> NDArray[np.int64]:
        return BASE + ARRAY * np.arange(ARRAYS[name])[:, None] + ELEMENT * threads

    stream = kernel(name, BEGIN + CODE[name], waves * per_sm * SMS, block, addresses)
    machine = load(A40, "ref", {"sm.occupancy.ctas": per_sm, **changes})
    return engine.simulate(stream, machine).execution_cycles


def rate(name: str, block: int, per_sm: int, **changes: float) -> float:
    """GB/s between an early and a late wave of CTAs."""
    wave = per_sm * SMS * block
    waves = -(-WRITTEN // (wave * ELEMENT))
    few, many = (_cycles(name, block, per_sm, n, **changes) for n in (waves, 2 * waves))
    mhz = load(A40).gpu.clock.core_mhz
    return waves * wave * ELEMENT * ARRAYS[name] * mhz / 1000 / (many - few)


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_dram_streams"):
        block, per_sm = int(row["block_size"]), int(row["blocks_per_sm"])
        for name in CODE if (block, per_sm) != LEAST else PREDICTED:
            yield Measurement(
                f"DRAM streams: {name}",
                f"{per_sm} x {block} threads",
                float(row[f"{name}_gb_s"]),
                row["source"],
                partial(rate, name, block, per_sm),
            )
