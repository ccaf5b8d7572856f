"""Cycles of every issued instruction, stage by stage: recorded or not by the same stages."""

from __future__ import annotations

from .compiled import compiled, pointer_to, record

EVENT = record(
    ("sm", "i4"),
    ("subcore", "i2"),
    ("warp", "i2"),  # of the CTA
    ("cta", "i4"),
    ("pc", "i4"),
    ("slot", "i8"),  # of the sub-core's warps; this wide, no padding is needed
    ("fetch", "i8"),  # cycles since execution began; -1: no such stage
    ("decode", "i8"),
    ("issue", "i8"),
    ("control", "i8"),
    ("allocate", "i8"),
    ("read_done", "i8"),
    ("writeback", "i8"),
)

event_at = pointer_to(EVENT)


@compiled
def allocated(kernel, event, cycle):
    """Note the cycle in which Allocate succeeded."""
    if event >= 0:
        event_at(kernel.events, event).allocate = cycle


@compiled
def read_done(kernel, event, cycle):
    """Note the last cycle of the operand read."""
    if event >= 0:
        event_at(kernel.events, event).read_done = cycle


@compiled
def written(kernel, event, cycle):
    """Note the cycle of write-back or, without a result, of retirement."""
    if event >= 0:
        event_at(kernel.events, event).writeback = cycle
