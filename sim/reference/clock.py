"""Time: whole cycles, and the order of what happens within one (sm-core 0.2, 0.3)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import simpy

STEPS = 16  # a power of two above the steps of a cycle, so that every time is exact


class Step(IntEnum):
    """What happens in a cycle, in this order; back to front, so that a freed latch is refilled."""

    DOUBLE = 0  # the FP64 unit of the SM takes an instruction
    GRANT = 1  # the SM takes a memory instruction
    CHANGE = 2  # counters, decoded instructions and constants are seen from now on
    WRITE = 3
    READ_SPECIAL = 4
    READ_MEMORY = 5
    ALLOCATE = 6
    CONTROL = 7
    REQUEST = 8  # warps that are ready ask for the issue slot
    ISSUE = 9
    FETCH = 10
    FILL = 11  # lines enter the L0 instruction cache
    ANSWER = 12  # which answers one waiting warp
    RETIRE = 13  # warps give their places back
    SEND = 14  # one request enters the link to the L1 instruction cache
    LAUNCH = 15


class Clock:
    """The environment of SimPy, counted in cycles and steps."""

    def __init__(self) -> None:
        self.env = simpy.Environment()

    @property
    def cycle(self) -> int:
        """The current cycle."""
        return int(self.env.now)

    def at(self, cycle: int, step: Step) -> simpy.Event:
        """An event in `cycle` at `step`, which must not be over."""
        return self.env.timeout(cycle + step / STEPS - self.env.now)

    def next(self, step: Step) -> simpy.Event:
        """The same, in the next cycle."""
        return self.at(self.cycle + 1, step)

    def call(self, cycle: int, step: Step, function: Callable[..., Any], *arguments: Any) -> None:
        """Let `function` happen then."""
        self.at(cycle, step).callbacks.append(lambda _: function(*arguments))
