"""Listing 2: a stall count is the distance to the warp's next instruction, right or wrong.

The FFMA needs the sum of the FADD before it after 4 cycles. With a stall count of 1 the hardware
issues it at once, and it computes with the old value.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import clock_difference
from .case import Case
from .published import listing

CODE = """
[B------:R-:W-:-:S01] FADD R1, RZ, 1 ;
[B------:R-:W-:-:S01] FADD R2, RZ, 1 ;
[B------:R-:W-:-:S02] FADD R3, RZ, 1 ;
[B------:R-:W-:-:S01] CS2R.32 R14, SR_CLOCKLO ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S{stall:02}] FADD R1, R2, R3 ;
[B------:R-:W-:-:S01] FFMA R5, R1, R1, R1 ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] CS2R.32 R24, SR_CLOCKLO ;
"""


def cases() -> Iterator[Case]:
    for stall in (1, 4):
        yield Case(
            "listing 2",
            f"stall count {stall}: clock difference",
            int(listing(f"listing2_stall{stall}")["value"]),
            "paper, listing 2",
            partial(clock_difference, CODE.format(stall=stall)),
        )
