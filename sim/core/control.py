"""Control: one instruction a cycle on its way from Issue to Allocate or to its queue (sm-core 4.1).

What happens in an instruction's first cycle here is certain at issue and done there: counters
increase and clock reads take their value.
"""

from __future__ import annotations

from ..compiled import compiled, record
from .allocate import LATCH
from .instruction import FIXED, instruction_at

State = record(("latch", LATCH))


@compiled
def step(sc, kernel):
    """Hand a fixed-latency instruction to Allocate if its latch is free; others just leave."""
    latch = sc.control.latch
    if not latch.full:
        return
    if instruction_at(kernel.program, latch.pc).route == FIXED:
        if sc.allocate.latch.full:
            return
        sc.allocate.latch = latch
    latch.full = 0
