"""Issue slots of an RTX 3060 shared by four or five warps per sub-core.

Each warp times a chain of 4096 FFMAs with yield and stall count 4. Every second one reads two
registers of one bank, so a sub-core can issue two in three cycles at best. The second launch
counts; here a loop stands for the two launches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from .bench import simulate
from .measurement import RTX_3060, Measurement
from .published import table
from .sm86_instruction_cache import NEAR_L2

LENGTH = 4096
CODE = """
again:
[B------:R-:W-:-:S06] BAR.SYNC 0x0 ;
[B------:R-:W-:Y:S05] CS2R.32 R11, SR_CLOCKLO ;
.repeat 1024
[B------:R-:W-:Y:S04] FFMA R15, R16, 1, R15 ;
[B------:R-:W-:Y:S04] FFMA R15, R17, 1, R15 ;
[B------:R-:W-:Y:S04] FFMA R15, R18, 1, R15 ;
[B------:R-:W-:Y:S04] FFMA R15, R19, 1, R15 ;
.end
[B------:R-:W-:Y:S06] CS2R.32 R13, SR_CLOCKLO ;
[B------:R-:W-:-:S05] @P0 BRA again ;  @trips 2
"""


def cycles_per_ffma(warps: int, **overrides: Any) -> list[float]:
    """Of each warp of a CTA of `warps`."""
    result = simulate(CODE, RTX_3060, tuple(range(warps)), warm="const l1", **NEAR_L2, **overrides)
    clocks = (reads.values[-2:] for reads in result.clock_reads)
    return [(second - first) / LENGTH for first, second in clocks]


def of_warp(warps: int, warp: int) -> float:
    return cycles_per_ffma(warps)[warp]


def of_subcore(warps: int, subcore: int) -> float:
    """Until the last warp of the sub-core ends."""
    return max(cycles_per_ffma(warps)[subcore::4])


def measurements() -> Iterator[Measurement]:
    """Each warp, and behind the youngest warp of a sub-core the sub-core as a whole."""
    slowest: dict[int, float] = {}
    for row in table("sm86_warps_per_subcore"):
        warps, warp = int(row["warps_in_block"]), int(row["warp"])
        measured, subcore = float(row["cycles_per_ffma"]), int(row["sub_core_warp_mod_4"])
        slowest[subcore] = max(measured, slowest.get(subcore, 0))
        yield Measurement(
            "warps per sub-core: each warp",
            f"{warps} warps, warp {warp}",
            measured,
            row["source"],
            partial(of_warp, warps, warp),
        )
        if warp + 4 >= warps:
            yield Measurement(
                "warps per sub-core: last warp",
                f"{warps} warps, sub-core {subcore}",
                slowest.pop(subcore),
                row["source"],
                partial(of_subcore, warps, subcore),
            )
