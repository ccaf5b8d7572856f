"""Figure 4: which of four warps of a sub-core issues in which cycle, 32 instructions each.

a: an instruction miss after 16 instructions. b: the second instruction has a stall count of 4.
c: it has yield set. All buffers are full at the start, and W3, the youngest warp, issues first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from .bench import events
from .case import Case
from .published import table

WARPS = {"W3": 12, "W2": 8, "W1": 4, "W0": 0}  # those of sub-core 0
SECOND = {"b": "-:S04", "c": "Y:S01"}
# The barrier lets all warps go at once, the one that arrived last first. The first NOP passes the
# lead to the youngest; the second one has them start again at most 4 cycles apart.
ALIGN = """
[B------:R-:W-:-:S02] BAR.SYNC 0x0 ;
[B------:R-:W-:-:S02] NOP ;
[B------:R-:W-:Y:S00] NOP ;
"""
CODE = """
[B------:R-:W-:-:S01] FADD R4, R2, 1 ;
[B------:R-:W-:{second}] FADD R4, R2, 1 ;
@repeat 29 [B------:R-:W-:-:S01] FADD R4, R2, 1 ;
"""
# Three passes through an L0I of two lines of 16 instructions: in the last one the first line is
# there when the warps start together, and the next one is near, in the L1I. With two or four it is
# W2 that arrives last at the barrier and leads.
MISSING = """
again:
@repeat 12 [B------:R-:W-:-:S01] NOP ;
{align}
@repeat 30 [B------:R-:W-:-:S01] FADD R4, R2, 1 ;
[B------:R-:W-:-:S01] @P0 BRA again ;  @trips 3
"""
NEAR_MISS = {
    "sm.l0i.sets": 1,
    "sm.l0i.ways": 2,
    "sm.l0i.line_bytes": 256,
    "sm.l1i.line_bytes": 256,
    "sm.l1i.request_latency": 5,
    "sm.l1i.reply_latency": 5,
    "sm.stream_buffer.lines": 0,
}
INSTRUCTIONS = 32  # with the EXIT
RESUMES_AT = 102  # W0 after the bubbles of b, as the figure has it
DRAWN_BUBBLES, BUBBLES = 4, 3


def spans(cycles: Iterable[int]) -> str:
    """Consecutive cycles as first-last: `0-1 6-35`."""
    ends: list[list[int]] = []
    for cycle in cycles:
        if ends and cycle == ends[-1][1] + 1:
            ends[-1][1] = cycle
        else:
            ends.append([cycle, cycle])
    return " ".join(f"{first}-{last}" for first, last in ends)


def drawn(case: str, warp: str) -> list[int]:
    """Cycles in which the figure lets a warp issue."""
    segments = [
        range(int(row["start_cycle"]), int(row["end_cycle_exclusive"]))
        for row in table("figure_4_issue_timeline")
        if (row["case"], row["warp"]) == (case, warp)
    ]
    return [cycle for segment in segments for cycle in segment]


def chosen(case: str, warp: str) -> list[int]:
    """The figure's cycles with three bubbles in b."""
    late = DRAWN_BUBBLES - BUBBLES if case == "b" else 0
    return [cycle - late * (cycle >= RESUMES_AT) for cycle in drawn(case, warp)]


def issues(case: str, warp: str, gpu: str) -> str:
    """Cycles in which a warp issues, counted from the first issue of any warp."""
    warps = tuple(WARPS.values())
    if case == "a":
        frame = events(MISSING.format(align=ALIGN), gpu, warps, warm="const l1", **NEAR_MISS)
    else:
        frame = events(ALIGN + CODE.format(second=SECOND[case]), gpu, warps)
    measured = frame.groupby("warp")["issue"].tail(INSTRUCTIONS)
    return spans(measured[frame["warp"] == WARPS[warp]] - measured.min())


def cases() -> Iterator[Case]:
    for case in ("a", *SECOND):
        for warp in WARPS:
            shifted = chosen(case, warp) != drawn(case, warp)
            yield Case(
                f"figure 4{case}",
                f"{warp} issues in cycles",
                spans(chosen(case, warp)),
                f"paper, figure 4{case}" + ("; three bubbles, deviation 1" if shifted else ""),
                partial(issues, case, warp),
            )
