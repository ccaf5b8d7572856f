"""Figure 2: loads guarded by dependence counters, and a DEPBAR that lets one of them be open.

The figure has every release one cycle before table 2; the model follows the table (deviation 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import events
from .case import Case
from .published import table

CODE = """
[B------:R-:W3:-:S01] LDG.E R5, [R12.64] ;
[B------:R0:W3:-:S01] LDG.E R7, [R2.64] ;
[B------:R0:W4:-:S02] LDG.E R15, [R6.64+0x80] ;
[B------:R-:W-:-:S01] IADD3 R18, R18, R18, R18 ;
[B------:R-:W-:-:S04] DEPBAR.LE SB0, 0x1 ;
[B------:R-:W-:-:S01] IADD3 R2, R21, R23, R24 ;
[B0--3--:R-:W-:-:S01] IADD3 R6, R5, R7, R1 ;
"""
FIRST_PC = 0x30  # of the figure
RELEASED = {0x80: "the DEPBAR", 0x90: "the last load"}  # who waits for a counter, behind what


def drawn() -> dict[int, int]:
    """Issue cycle of each instruction of the figure."""
    return {
        int(row["issue"], 16): int(row["cycle"])
        for row in table("figure_2_timeline")
        if row["issue"]
    }


def issue(pc: int, gpu: str) -> int:
    """Issue cycle, the first load issuing in cycle 1."""
    cycles = events(CODE, gpu)["issue"]
    return int(cycles[(pc - FIRST_PC) // 16] - cycles[0]) + 1


def cases() -> Iterator[Case]:
    for pc, cycle in drawn().items():
        late = pc in RELEASED
        yield Case(
            "figure 2",
            f"issue of {pc:#x}" + (f", behind {RELEASED[pc]}" if late else ""),
            cycle + late,
            "paper, figure 2" + ("; counters as in table 2, deviation 7" if late else ""),
            partial(issue, pc),
        )
