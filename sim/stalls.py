"""One state per resident warp and cycle, under Nsight Compute's names (ecosystem 1.2, 1.3).

The first state that applies wins, in the order of `STATES`; so they partition warp-cycles exactly.
They are counted by interval: nothing changes between two visits of a sub-core. Of one SM they can
also be logged, warp by warp, for the cycles of a window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import address, compiled, lowest, pointer_to, popcount, record, u
from .core import readiness
from .core.limits import SUBCORES, WARPS

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
    ("log", "i8"),  # address of this sub-core's part of a `StateLog`; 0: none is kept
    ("log_begin", "i8"),  # its cycles
    ("log_end", "i8"),
)

_LOGGED = record(("state", "i1"))
_logged_at = pointer_to(_LOGGED)
NOT_RESIDENT = -1


@dataclass
class StateLog:
    """The state of each warp slot of SM number `sm` in cycles begin..end-1 of a run.

    `states[subcore, slot, cycle - begin]` is a place in `STATES`, or `NOT_RESIDENT`.
    """

    sm: int
    begin: int
    end: int
    states: NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        shape = (SUBCORES, WARPS, self.end - self.begin)
        self.states = np.full(shape, NOT_RESIDENT, np.int8)

    def attach(self, sms: Any) -> None:
        """Let the sub-cores of an array of SMs write here."""
        counters = sms[self.sm]["subcores"]["stalls"]
        counters["log"] = [address(part) for part in self.states]
        counters["log_begin"], counters["log_end"] = self.begin, self.end


@compiled(inline=False)
def _log(counts, state, warps, begin, cycles):
    """Note the state of the warps of a mask, as far as the window goes."""
    first, end = max(begin, counts.log_begin), min(begin + cycles, counts.log_end)
    while warps and first < end:
        row = lowest(warps) * (counts.log_end - counts.log_begin) - counts.log_begin
        warps &= warps - 1
        for cycle in range(first, end):
            _logged_at(counts.log, row + cycle).state = state


@compiled
def _take(counts, state, warps, left, begin, cycles):
    """Count the warps of a mask that are left; returns those that stay left."""
    taken = warps & left
    if taken:
        counts.cycles[u(state)] += popcount(taken) * cycles
        if counts.log:
            _log(counts, state, taken, begin, cycles)
    return left & ~taken


@compiled(inline=True)
def count(sc, selected, held, busy, full, begin, cycles):
    """Count `cycles` cycles from `begin` on, in each of which `selected` (a mask) issues.

    `held`: the issue port cannot take an instruction; `busy` and `full`: warps whose next
    instruction finds no free pipe, or no place in the memory queue.
    """
    counts = sc.stalls
    left = int(sc.warps.resident)
    counts.warp_cycles += popcount(left) * cycles
    left = _take(counts, SELECTED, selected, left, begin, cycles)
    left = _take(counts, DRAIN, int(sc.warps.exited), left, begin, cycles)
    left = _take(counts, BARRIER, int(sc.issue.barrier), left, begin, cycles)
    left = _take(counts, MEMBAR, int(sc.issue.fenced), left, begin, cycles)
    missing = ~int(sc.decode.valid)
    left = _take(counts, BRANCH_RESOLVING, int(sc.decode.redirected) & missing, left, begin, cycles)
    left = _take(counts, NO_INSTRUCTION, missing, left, begin, cycles)
    fixed = int(sc.issue.stalled) | int(sc.scoreboard.fixed)
    left = _take(counts, WAIT, fixed, left, begin, cycles)
    if left == 0:
        return
    dependent = int(sc.dependence.waiting) | int(sc.dependence.gated)
    long = dependent & int(sc.dependence.long) | int(sc.scoreboard.long) | int(sc.copies.held)
    left = _take(counts, LONG_SCOREBOARD, long, left, begin, cycles)
    dependent |= int(sc.scoreboard.waiting)
    left = _take(counts, SHORT_SCOREBOARD, dependent, left, begin, cycles)
    left = _take(counts, IMC_MISS, int(sc.constants.waiting), left, begin, cycles)
    if left == 0:
        return
    left = _take(counts, LG_THROTTLE, full & int(sc.issue.l1tex_heads), left, begin, cycles)
    left = _take(counts, MIO_THROTTLE, full, left, begin, cycles)
    left = _take(counts, MATH_PIPE_THROTTLE, busy, left, begin, cycles)
    if held:
        left = _take(counts, DISPATCH_STALL, left, left, begin, cycles)
    elif selected:
        left = _take(counts, NOT_SELECTED, left, left, begin, cycles)
    _take(counts, MISC, left, left, begin, cycles)


@compiled
def catch_up(sc, machine, now):
    """Count the cycles before `now` that passed since the last visit; nothing issued in them."""
    begin = sc.stalls.counted_until
    sc.stalls.counted_until = max(begin, now)
    if begin < now and sc.warps.resident:
        busy, full = readiness.blocked(sc, machine, begin)
        held = begin < max(sc.issue.free_at, sc.constants.stop_until)
        count(sc, 0, held, busy, full, begin, now - begin)
