"""The double-precision unit that the four sub-cores of an SM share (sm-core 5.5)."""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, record, u
from ..core import queue
from ..core.limits import NEVER, SUBCORES

RESULTS = 160  # of the SM that may wait for a sub-core's write port

State = record(("free_at", "i8"))


@compiled
def _first(sm):
    """The sub-core whose operands were at the unit first (ties: lowest number), or -1."""
    first = -1
    at = NEVER
    for s in range(SUBCORES):
        waiting = sm.subcores[u(s)].fp64.waiting
        if queue.length(waiting) and queue.front(waiting).at < at:
            first = s
            at = queue.front(waiting).at
    return first


@compiled
def step(sm, machine, now):
    """Take one instruction; its result goes to the sub-core's latch of SM results."""
    first = _first(sm)
    if first < 0:
        return
    sc = sm.subcores[u(first)]
    entry = queue.front(sc.fp64.waiting)
    if entry.at > now or sm.fp64.free_at > now or queue.length(sc.writeback.load) >= RESULTS:
        return
    stalls.catch_up(sc, machine, now)
    sm.fp64.free_at = now + machine.sm.fp64.interval
    at = now + machine.sm.fp64.result_cycles
    queue.push(sc.writeback.load, at, entry.warp, entry.pc, 0, entry.event)
    sc.writeback.doubles += 1
    queue.pop(sc.fp64.waiting)
    sc.next_at = now  # a place in its queue is free


@compiled
def next_at(sm, now):
    """The next cycle in which the unit may take an instruction."""
    first = _first(sm)
    if first < 0:
        return NEVER
    entry = queue.front(sm.subcores[u(first)].fp64.waiting)
    return max(entry.at, sm.fp64.free_at, now + 1)
