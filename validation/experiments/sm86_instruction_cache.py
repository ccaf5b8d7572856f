"""Instruction caches of an RTX 3060: straight-line code of one warp, over its size.

A kernel runs a block of FFMAs, then an equal block at the following addresses, which is timed. It
is launched twice and the second launch counts; here a loop stands for the two launches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from .bench import simulate
from .measurement import RTX_3060, Measurement
from .published import table

NEAR_L2: Final = {"l2.round_trip": 204}  # a load that hits it takes 222 cycles; RTX A6000: 249

CODE = """
again:
[B------:R-:W-:-:S06] NOP ;
{block}
[B------:R-:W-:Y:S06] CS2R.32 R9, SR_CLOCKLO ;
{block}
[B------:R-:W-:Y:S06] CS2R.32 R11, SR_CLOCKLO ;
[B------:R-:W-:-:S05] @P0 BRA again ;  @trips 2
"""
BLOCK = """
.repeat {groups}
[B------:R-:W-:-:S01] FFMA R16, R14.reuse, 1, R16 ;
[B------:R-:W-:-:S01] FFMA R17, R14.reuse, 1, R17 ;
[B------:R-:W-:-:S01] FFMA R18, R14.reuse, 1, R18 ;
[B------:R-:W-:-:S01] FFMA R19, R14.reuse, 1, R19 ;
.end
"""
LIMITS = {64: "up to 64 KB", 128: "64 to 128 KB", 1 << 20: "beyond 128 KB"}


def cycles_per_instruction(groups: int, **overrides: Any) -> float:
    """Cycles per instruction of the timed block in the second launch."""
    code = CODE.format(block=BLOCK.format(groups=groups))
    result = simulate(code, RTX_3060, warm="const l1", **NEAR_L2, **overrides)
    first, second = result.clock_reads[0].values[-2:]
    return (second - first) / (4 * groups)


def region(total_bytes: int) -> str:
    """Where the code of both blocks fits."""
    return next(name for limit, name in LIMITS.items() if total_bytes < 1024 * limit)


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_instruction_cache"):
        total = int(row["warmup_plus_timed_code_bytes"])
        yield Measurement(
            f"instruction cache: {region(total)}",
            f"{total // 1024} KB",
            float(row["cycles_per_instruction"]),
            row["source"],
            partial(cycles_per_instruction, int(row["n_groups_of_4"])),
        )
