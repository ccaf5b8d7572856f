"""Listing 1: two FFMAs in consecutive cycles compete for the read ports of the register file.

R10, R12, R14 and R16 are in bank 0. The more of the last two operands are in it as well, the longer
the second FFMA waits in Allocate. The NOP behind it then waits in Control, and the clock read at
issue. Without this NOP the clock is read before the wait begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import clock_difference
from .case import Case
from .published import listing

CODE = """
[B------:R-:W-:-:S01] CS2R.32 R2, SR_CLOCKLO ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] FFMA R11, R10, R12, R14 ;
[B------:R-:W-:-:S01] FFMA R13, R16, {rx}, {ry} ;
{last_nop}
[B------:R-:W-:-:S01] CS2R.32 R4, SR_CLOCKLO ;
"""
LAST_NOP = "[B------:R-:W-:-:S01] NOP ;"
OPERANDS = (("R19", "R21"), ("R18", "R21"), ("R18", "R20"))
WITHOUT_NOP = 4  # one instruction fewer than the five cycles without conflicts


def code(rx: str, ry: str, last_nop: bool = True) -> str:
    """The listing with its last two operands, with or without its last NOP."""
    return CODE.format(rx=rx, ry=ry, last_nop=LAST_NOP if last_nop else "")


def cases() -> Iterator[Case]:
    for rx, ry in OPERANDS:
        yield Case(
            "listing 1",
            f"{rx}, {ry}: clock difference",
            int(listing(f"listing1_{rx}_{ry}")["value"]),
            "paper, listing 1",
            partial(clock_difference, code(rx, ry)),
        )
        yield Case(
            "listing 1",
            f"{rx}, {ry} without the last NOP",
            WITHOUT_NOP + int(listing("listing1_no_nop")["value"]),
            "paper, section 5.1.1: conflicts add no cycle",
            partial(clock_difference, code(rx, ry, last_nop=False)),
        )
