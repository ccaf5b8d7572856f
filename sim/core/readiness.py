"""Which warps could issue: the conditions of sm-core 3.3, as masks of warps."""

from __future__ import annotations

from ..compiled import compiled, u
from . import execute, fp64_queue, memory_queue, variable_latency, writeback


@compiled
def ready(sc):
    """Warps whose next instruction is decoded and waits for nothing but a unit."""
    held = int(sc.issue.stalled) | int(sc.issue.barrier)
    held |= int(sc.dependence.waiting) | int(sc.dependence.gated)
    held |= int(sc.scoreboard.waiting) | int(sc.constants.waiting)
    held |= int(sc.issue.fenced) | int(sc.copies.held)
    return int(sc.decode.valid) & ~held


@compiled(inline=True)
def blocked(sc, machine, now):
    """Warps whose next instruction finds its pipe busy, and those that find their queue full."""
    busy = execute.busy(sc.execute, machine, now) | writeback.full(sc, machine)
    if machine.sm.local_unit.admit == variable_latency.CONTROL:
        return busy, 0
    units = sc.execute
    if units.heads[u(execute.FP64)] and fp64_queue.full(sc.fp64, machine):
        busy |= int(units.heads[u(execute.FP64)])
    special = int(units.heads[u(execute.XU)]) | int(units.heads[u(execute.UNIFORM)])
    if special and execute.special_full(sc):
        busy |= special
    if units.heads[u(execute.MEMORY)] and memory_queue.full(sc.memory_queue, machine):
        return busy, int(units.heads[u(execute.MEMORY)])
    return busy, 0
