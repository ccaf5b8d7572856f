"""The double-precision unit that the four sub-cores of an SM share (sm-core 5.5)."""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, record, u
from ..core import queue
from ..core.limits import NEVER, SUBCORES

RESULTS = 160  # of the SM that may wait for a sub-core's write port

State = record(
    ("free_at", "i8"),
    ("waiting_at", "i8", SUBCORES),  # when the operands of each sub-core's first one are here
)


@compiled
def look(sm, s):
    """Note what sub-core `s`, which has been visited, has for the unit."""
    waiting = sm.subcores[u(s)].fp64.waiting
    sm.fp64.waiting_at[u(s)] = queue.front(waiting).at if queue.length(waiting) else NEVER


@compiled
def _first(unit):
    """The sub-core whose operands were at the unit first (ties: lowest number)."""
    first = 0
    for s in range(1, SUBCORES):
        if unit.waiting_at[u(s)] < unit.waiting_at[u(first)]:
            first = s
    return first


@compiled(inline=True)
def step(sm, machine, now):
    """Take one instruction; its result goes to the sub-core's latch of SM results."""
    first = _first(sm.fp64)
    if max(sm.fp64.waiting_at[u(first)], sm.fp64.free_at) > now:
        return
    sc = sm.subcores[u(first)]
    if queue.length(sc.writeback.load) >= RESULTS:
        return
    entry = queue.front(sc.fp64.waiting)
    stalls.catch_up(sc, machine, now)
    sm.fp64.free_at = now + machine.sm.fp64.interval
    at = now + machine.sm.fp64.result_cycles
    queue.push(sc.writeback.load, at, entry.warp, entry.pc, 0, entry.event)
    sc.writeback.doubles += 1
    queue.pop(sc.fp64.waiting)
    look(sm, first)
    sc.next_at = now  # a place in its queue is free


@compiled
def next_at(sm, now):
    """The next cycle in which the unit may take an instruction."""
    at = sm.fp64.waiting_at[u(_first(sm.fp64))]
    return NEVER if at == NEVER else max(at, sm.fp64.free_at, now + 1)
