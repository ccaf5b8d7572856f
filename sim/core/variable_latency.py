"""Where an instruction of variable latency goes: its unit, FP64's or memory's queue (sm-core 4.4).

By default it issues only if there is room. The authors' simulator lets it issue and wait in
Control, where it blocks the sub-core (`sm.local_unit.admit`).
"""

from __future__ import annotations

from ..compiled import compiled, u
from . import execute, fp64_queue, memory_queue, queue
from .instruction import DOUBLE, QUEUED

# Choices of `sm.local_unit.admit`.
ISSUE = 0
CONTROL = 1


@compiled
def has_room(sc, machine, inst, now):
    """Whether the instruction in Control could go on; a place freed in this cycle is not yet."""
    if inst.route == QUEUED:
        return not memory_queue.full_before(sc.memory_queue, machine, now)
    if inst.route == DOUBLE:
        return not fp64_queue.full(sc.fp64, machine)
    return (
        not execute.special_full(sc) and execute.pipe_of(sc.execute, machine, inst.unit, now) >= 0
    )


@compiled
def accept(sc, kernel, machine, inst, warp, pc, access, event, issued, now):
    """The instruction takes its place, as if it had issued in cycle `issued`."""
    if inst.route == QUEUED:
        memory_queue.push(sc.memory_queue, issued, warp, pc, access, event)
    elif inst.route == DOUBLE:
        fp64_queue.push(sc, kernel, machine, inst, warp, pc, event, issued, now)
    else:
        pipe = execute.pipe_of(sc.execute, machine, inst.unit, now)
        sc.execute.free_at[u(pipe)] = now + inst.interval
        queue.push(sc.execute.special, issued, warp, pc, access, event)
