"""Control: one instruction a cycle on its way from Issue to Allocate or to its queue (sm-core 4.1).

What happens in an instruction's first cycle here is certain at issue and done there: counters
increase and clock reads take their value.
"""

from __future__ import annotations

from ..compiled import compiled, record
from . import variable_latency
from .allocate import LATCH
from .instruction import FIXED, instruction_at

State = record(("latch", LATCH))


@compiled
def _go_on(sc, kernel, machine, latch, now):
    """Hand the instruction on; False if it has to stay."""
    inst = instruction_at(kernel.program, latch.pc)
    if inst.route == FIXED:
        if sc.allocate.latch.full:
            return False
        sc.allocate.latch = latch
    elif machine.sm.local_unit.admit == variable_latency.CONTROL:
        if not variable_latency.has_room(sc, machine, inst, now):
            return False
        warp, pc, event = int(latch.warp), int(latch.pc), latch.event
        variable_latency.accept(
            sc, kernel, machine, inst, warp, pc, latch.access, event, now - 1, now
        )
    return True


@compiled
def step(sc, kernel, machine, now):
    """Hand an instruction to Allocate or to its queue; by default the latter took it at issue."""
    latch = sc.control.latch
    if latch.full and _go_on(sc, kernel, machine, latch, now):
        latch.full = 0
