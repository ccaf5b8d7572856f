"""The sub-core's side of the FP64 unit: a small queue and the operand transfer (sm-core 5.5)."""

from __future__ import annotations

from .. import events
from ..compiled import compiled, record
from . import queue, wheel

State = record(
    ("waiting", queue.queue_of(8)),  # by the cycle in which the operands are at the unit
    ("transfer_free", "i8"),  # cycle from which the transfer takes the next instruction
)


@compiled
def full(fp64, machine):
    """Whether issue must wait for the shared unit."""
    return queue.length(fp64.waiting) >= machine.sm.fp64.queue


@compiled
def push(sc, kernel, machine, inst, warp, pc, event, issued, now):
    """Transfer the operands; the sources are released when they are at the unit."""
    fp64 = sc.fp64
    operands = machine.sm.fp64.operand_cycles * inst.n_sources
    begin = max(issued + machine.sm.fp64.transfer_cycles, fp64.transfer_free)
    at = begin + operands
    fp64.transfer_free = at
    if inst.read_counter >= 0:
        wheel.post(sc.wheel, now, at, wheel.COUNTER, warp, inst.read_counter, -1, pc)
    events.read_done(kernel, event, at - 1)
    queue.push(fp64.waiting, at, warp, pc, 0, event)
