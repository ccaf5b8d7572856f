"""Small experiments of the text: stall counts, yield, counters, DEPBAR, register-file ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from .bench import clock_difference, distance, events
from .case import Case
from .published import listing

STALLED = """
[B------:R-:W-:{control}] NOP ;
[B------:R-:W-:-:S01] NOP ;
"""
CLOCKS = """
[B------:R-:W-:-:S01] CS2R.32 R2, SR_CLOCKLO ;
[B------:R-:W-:-:S01] CS2R.32 R4, SR_CLOCKLO ;
"""
WAITER = """
[B------:R-:W0:-:S{stall:02}] LDG.E R4, [R2.64] ;
[B0-----:R-:W-:-:S01] NOP ;
"""
DEPBAR = """
[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;
[B------:R-:W-:-:S{stall:02}] DEPBAR.LE SB0, 0x0 ;
[B------:R-:W-:-:S01] NOP ;
"""
# The second operand is in the other half of the L1.5 line that the first one has brought.
CONSTANTS = """
[B------:R-:W-:-:S04] IADD3 R4, R6, c[0x0][0x200], RZ ;
[B------:R-:W-:-:S04] NOP ;
[B------:R-:W-:-:S04] IADD3 R4, R6, c[0x0][{offset}], RZ ;
"""
STREAM = "@repeat 8 [B------:R-:W-:-:S01] {instruction} ;"
# The FADD issues 21 cycles after the load; both are due to write 31 cycles after the load's issue.
WRITES = """
[B------:R-:W0:-:S11] LDG.E R4, [R2.64] ;
[B------:R-:W-:-:S10] NOP ;
[B------:R-:W-:-:S01] FADD {result}, R6, 1 ;
"""
LONGEST_STALL = 15


def bubbles(code: str, gpu: str) -> int:
    """Cycles without issue between the two instructions of `code`."""
    return distance(code, gpu) - 1


def least_stall(code: str, gpu: str, before: int = 0) -> int:
    """The least stall count of instruction `before` with which the next one is held longer."""
    stalls = range(1, LONGEST_STALL + 1)
    return next(s for s in stalls if distance(code.format(stall=s), gpu, before) > s)


def stream_bubbles(instruction: str, gpu: str) -> int:
    """Cycles between the last instructions of a stream in Allocate in which none passes it."""
    allocate = events(STREAM.format(instruction=instruction), gpu)["allocate"]
    return int(allocate[7] - allocate[6]) - 1


def load_delay(gpu: str) -> int:
    """How much later a load is written if a result of the same bank is due in the same cycle."""
    other, same = (
        events(WRITES.format(result=result), gpu)["writeback"][0] for result in ("R9", "R8")
    )
    return int(same - other)


def constant_delay(gpu: str) -> int:
    """Cycles by which a constant that only the L1.5 has delays its instruction."""
    near, far = (
        distance(CONSTANTS.format(offset=offset), gpu, 1, warm="icache l1")
        for offset in ("0x204", "0x240")
    )
    return far - near


def cases() -> Iterator[Case]:
    def published(name: str, identifier: str, simulate: Callable[[str], int]) -> Case:
        row = listing(identifier)
        source = f"paper, {row['paper_location'].lower()}"
        return Case("small cases", name, int(row["value"]), source, simulate)

    def stalled(control: str) -> str:
        return STALLED.format(control=control)

    yield published(
        "stall 0 and yield: bubbles", "stall0_yield1", partial(bubbles, stalled("Y:S00"))
    )
    yield published(
        "yield, one warp: bubbles", "yield_alone_bubble", partial(bubbles, stalled("Y:S01"))
    )
    yield Case(
        "small cases",
        "stall 13 without yield: distance",
        2,
        "paper, section 4: one or two, deviation 5",
        partial(distance, stalled("-:S13")),
    )
    yield Case(
        "small cases",
        "clock reads back to back: difference",
        2,
        "paper: not in consecutive cycles",
        partial(clock_difference, CLOCKS),
    )
    yield published(
        "least stall count to see a counter increment",
        "dep_counter_visibility",
        partial(least_stall, WAITER),
    )
    yield published(
        "least stall count of DEPBAR", "depbar_min_stall", partial(least_stall, DEPBAR, before=1)
    )
    yield published("constant in the L1.5 only: delay", "const_l0fl_cross_miss", constant_delay)
    yield published(
        "FMULs, both sources in one bank: bubbles",
        "fmul_same_bank_bubble",
        partial(stream_bubbles, "FMUL R1, R2, R4"),
    )
    yield Case(
        "small cases",
        "FMULs, sources in both banks: bubbles",
        0,
        "paper, section 5.3",
        partial(stream_bubbles, "FMUL R1, R2, R5"),
    )
    yield published(
        "FFMAs, three sources in one bank: bubbles",
        "ffma_same_bank_bubble",
        partial(stream_bubbles, "FFMA R1, R2, R4, R6"),
    )
    yield published(
        "load and FADD write one bank: delay of the load", "wb_conflict_load_vs_fixed", load_delay
    )
