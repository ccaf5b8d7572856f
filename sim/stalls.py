"""One state per resident warp and cycle, under Nsight Compute's names (ecosystem 1.2, 1.3).

The first state that applies wins, in the order of `STATES`; so they partition warp-cycles exactly.
They are counted by interval: nothing changes between two visits of a sub-core.
"""

from __future__ import annotations

from .compiled import compiled, popcount, record, u
from .core import execute, fp64_queue, memory_queue

ORDER_VERSION = 1
STATES = (
    "selected",
    "drain",
    "barrier",
    "branch_resolving",
    "no_instruction",
    "wait",
    "long_scoreboard",
    "short_scoreboard",
    "lg_throttle",
    "mio_throttle",
    "math_pipe_throttle",
    "dispatch_stall",
    "not_selected",
    "misc",
)
SELECTED, DRAIN, BARRIER, BRANCH_RESOLVING, NO_INSTRUCTION, WAIT = 0, 1, 2, 3, 4, 5
LONG_SCOREBOARD, SHORT_SCOREBOARD, LG_THROTTLE, MIO_THROTTLE = 6, 7, 8, 9
MATH_PIPE_THROTTLE, DISPATCH_STALL, NOT_SELECTED, MISC = 10, 11, 12, 13

State = record(
    ("cycles", "i8", len(STATES)),  # warp-cycles in each state
    ("counted_until", "i8"),  # all cycles before this one are counted
    ("active_cycles", "i8"),  # cycles with a resident warp
    ("warp_cycles", "i8"),  # resident warps, summed over cycles
)


@compiled
def _take(counts, state, warps, left, cycles):
    """Count the warps of a mask that are left; returns those that stay left."""
    counts.cycles[u(state)] += popcount(warps & left) * cycles
    return left & ~warps


@compiled
def count(sc, machine, selected, held, now, cycles):
    """Count `cycles` cycles from `now` on, in which `selected` (a mask) issues in each.

    `held`: the issue port cannot take an instruction.
    """
    counts = sc.stalls
    left = int(sc.warps.resident)
    if left == 0:
        return
    counts.active_cycles += cycles
    counts.warp_cycles += popcount(left) * cycles
    left = _take(counts, SELECTED, selected, left, cycles)
    left = _take(counts, DRAIN, int(sc.warps.exited), left, cycles)
    left = _take(counts, BARRIER, int(sc.issue.barrier), left, cycles)
    missing = ~int(sc.decode.valid)
    left = _take(counts, BRANCH_RESOLVING, int(sc.decode.redirected) & missing, left, cycles)
    left = _take(counts, NO_INSTRUCTION, missing, left, cycles)
    left = _take(counts, WAIT, int(sc.issue.stalled), left, cycles)
    if left == 0:
        return
    dependent = int(sc.dependence.waiting) | int(sc.dependence.gated)
    long = dependent & int(sc.dependence.long)
    left = _take(counts, LONG_SCOREBOARD, long, left, cycles)
    left = _take(counts, SHORT_SCOREBOARD, dependent, left, cycles)
    if left == 0:
        return
    if memory_queue.full(sc.memory_queue, machine):
        queued = int(sc.execute.heads[u(execute.MEMORY)])
        left = _take(counts, LG_THROTTLE, queued & int(sc.issue.l1tex_heads), left, cycles)
        left = _take(counts, MIO_THROTTLE, queued, left, cycles)
    busy = execute.busy(sc.execute, machine, now)
    if fp64_queue.full(sc.fp64, machine):
        busy |= int(sc.execute.heads[u(execute.FP64)])
    left = _take(counts, MATH_PIPE_THROTTLE, busy, left, cycles)
    if held:
        left = _take(counts, DISPATCH_STALL, left, left, cycles)
    if selected:
        left = _take(counts, NOT_SELECTED, left, left, cycles)
    counts.cycles[u(MISC)] += popcount(left) * cycles


@compiled
def catch_up(sc, machine, now):
    """Count the cycles before `now` that passed since the last visit; nothing issued in them."""
    idle = now - sc.stalls.counted_until
    if idle > 0:
        count(sc, machine, 0, 0, sc.stalls.counted_until, idle)
        sc.stalls.counted_until = now
