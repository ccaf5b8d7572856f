"""DRAM: an unloaded latency and a count of what was read (memory 6). Bandwidth comes later."""

from __future__ import annotations

from ..compiled import compiled, record

STATE = record(("sectors_read", "i8"))


@compiled
def read(memory, machine, sectors):
    """Fetch `sectors` (a mask) of a line; returns the cycles that it adds."""
    while sectors:
        sectors &= sectors - 1
        memory.sectors_read += 1
    return machine.dram.latency
