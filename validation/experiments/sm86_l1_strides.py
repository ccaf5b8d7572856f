"""Loads of 32-bit words with a stride that hit the L1: cycles of an SM per warp-load, on an A40.

The A40 has the die of the RTX A6000. The banks of the data stage were fitted on strides 1, 2, 4, 7,
8, 16, 17, 31, 32, 33 and 47, which are left out: the other rows are predictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import simulate
from .measurement import A40, Measurement
from .published import table

FITTED = {1, 2, 4, 7, 8, 16, 17, 31, 32, 33, 47}
WARPS = tuple(range(16))
LOADS = 64  # of each warp
CODE = (
    "@repeat {loads} @addr base=0x10000 stride={stride} [B------:R-:W-:-:S02] LDG.E R8, [R2.64] ;"
)


def cycles(stride: int) -> float:
    """Between two results of an SM, from the first to the last of them."""
    code = CODE.format(loads=LOADS, stride=4 * stride)
    rows = simulate(code, A40, WARPS).events
    results = rows[rows["opcode"].str.startswith("LDG")]["writeback"]
    return int(results.max() - results.min()) / (len(results) - 1)


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_l1_strides"):
        stride = int(row["stride_elements_or_block_width"])
        if stride not in FITTED:
            yield Measurement(
                "L1 strides",
                f"{stride} words",
                float(row["cycles_per_warp_load"]),
                row["source"],
                partial(cycles, stride),
            )
