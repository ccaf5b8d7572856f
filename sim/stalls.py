"""One state per resident warp and cycle, under Nsight Compute's names (ecosystem 1.2, 1.3).

The first state that applies wins, in the order of `STATES`; so they partition warp-cycles exactly.
They are counted by interval: nothing changes between two visits of a sub-core.
"""

from __future__ import annotations

from .compiled import compiled, popcount, record, u
from .core import readiness

ORDER_VERSION = 2
STATES = (
    "selected",
    "drain",
    "barrier",
    "membar",
    "branch_resolving",
    "no_instruction",
    "wait",
    "long_scoreboard",
    "short_scoreboard",
    "imc_miss",
    "lg_throttle",
    "mio_throttle",
    "math_pipe_throttle",
    "dispatch_stall",
    "not_selected",
    "misc",
)
SELECTED, DRAIN, BARRIER, MEMBAR, BRANCH_RESOLVING, NO_INSTRUCTION, WAIT = range(7)
LONG_SCOREBOARD, SHORT_SCOREBOARD, IMC_MISS, LG_THROTTLE, MIO_THROTTLE = range(7, 12)
MATH_PIPE_THROTTLE, DISPATCH_STALL, NOT_SELECTED, MISC = range(12, 16)

State = record(
    ("cycles", "i8", len(STATES)),  # warp-cycles in each state
    ("counted_until", "i8"),  # all cycles before this one are counted
    ("warp_cycles", "i8"),  # resident warps, summed over cycles
)


@compiled
def _take(counts, state, warps, left, cycles):
    """Count the warps of a mask that are left; returns those that stay left."""
    counts.cycles[u(state)] += popcount(warps & left) * cycles
    return left & ~warps


@compiled
def count(sc, selected, held, busy, full, cycles):
    """Count `cycles` cycles, in each of which `selected` (a mask) issues.

    `held`: the issue port cannot take an instruction; `busy` and `full`: warps whose next
    instruction finds no free pipe, or no place in the memory queue.
    """
    counts = sc.stalls
    left = int(sc.warps.resident)
    counts.warp_cycles += popcount(left) * cycles
    left = _take(counts, SELECTED, selected, left, cycles)
    left = _take(counts, DRAIN, int(sc.warps.exited), left, cycles)
    left = _take(counts, BARRIER, int(sc.issue.barrier), left, cycles)
    left = _take(counts, MEMBAR, int(sc.issue.fenced), left, cycles)
    missing = ~int(sc.decode.valid)
    left = _take(counts, BRANCH_RESOLVING, int(sc.decode.redirected) & missing, left, cycles)
    left = _take(counts, NO_INSTRUCTION, missing, left, cycles)
    left = _take(counts, WAIT, int(sc.issue.stalled) | int(sc.scoreboard.fixed), left, cycles)
    if left == 0:
        return
    dependent = int(sc.dependence.waiting) | int(sc.dependence.gated)
    long = dependent & int(sc.dependence.long) | int(sc.scoreboard.long) | int(sc.copies.held)
    left = _take(counts, LONG_SCOREBOARD, long, left, cycles)
    dependent |= int(sc.scoreboard.waiting)
    left = _take(counts, SHORT_SCOREBOARD, dependent, left, cycles)
    left = _take(counts, IMC_MISS, int(sc.constants.waiting), left, cycles)
    if left == 0:
        return
    left = _take(counts, LG_THROTTLE, full & int(sc.issue.l1tex_heads), left, cycles)
    left = _take(counts, MIO_THROTTLE, full, left, cycles)
    left = _take(counts, MATH_PIPE_THROTTLE, busy, left, cycles)
    if held:
        left = _take(counts, DISPATCH_STALL, left, left, cycles)
    elif selected:
        left = _take(counts, NOT_SELECTED, left, left, cycles)
    counts.cycles[u(MISC)] += popcount(left) * cycles


@compiled
def catch_up(sc, machine, now):
    """Count the cycles before `now` that passed since the last visit; nothing issued in them."""
    begin = sc.stalls.counted_until
    sc.stalls.counted_until = max(begin, now)
    if begin < now and sc.warps.resident:
        busy, full = readiness.blocked(sc, machine, begin)
        held = begin < max(sc.issue.free_at, sc.constants.stop_until)
        count(sc, 0, held, busy, full, now - begin)
