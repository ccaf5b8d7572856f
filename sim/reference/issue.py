"""The issue slot of a sub-core, and the constant cache that it asks (sm-core 3.4, 3.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import simpy

from ...isa.program import Unit
from .clock import Step
from .lines import Lines
from .warp import Life, Warp

if TYPE_CHECKING:
    from .subcore import SubCore

CONSTANT_BANK = 1 << 16  # bytes between two banks in the address space of the L1.5


def in_order(
    policy: str, warps: Iterable[Warp], greedy: Warp | None, now: int, recency: int
) -> list[Warp]:
    """Warps in the order in which a policy prefers them (3.4)."""
    warps = sorted(warps, key=lambda w: w.serial)
    if policy == "lrr":
        last = greedy.place if greedy else 0
        return sorted(warps, key=lambda w: (w.place <= last, w.place))
    if policy == "oldest":
        return warps
    if policy == "cggty":
        warps.reverse()
    elif policy == "lri":
        known = [w for w in warps if w.issued and now - w.issued_at <= recency]
        known.sort(key=lambda w: (w is not greedy, w.issued_at))
        return known + [w for w in reversed(warps) if w not in known]
    return sorted(warps, key=lambda w: w is not greedy)


class IssueSlot:
    """One instruction a cycle, of the ready warp that comes first by the policy (3.4)."""

    def __init__(self, subcore: SubCore) -> None:
        self.subcore, self.clock, self.sm = subcore, subcore.clock, subcore.gpu.sm
        self.greedy: Warp | None = None
        self.greedy_before: Warp | None = None  # when the cycle began, as fetch sees it
        self.free_at = 0
        self._requests: dict[Warp, simpy.Event] = {}
        self.constants = ConstantCache(subcore)

    def request(self, warp: Warp) -> simpy.Event:
        """Ask for the slot in this cycle; the event's value says whether the warp has it."""
        self._requests[warp] = self.clock.env.event()
        return self._requests[warp]

    def run(self) -> Life:
        """The process: choose among the warps that ask."""
        while True:
            yield self.clock.next(Step.ISSUE)
            self.greedy_before = self.greedy
            requests, self._requests = self._requests, {}
            chosen = self._choose(requests)
            for warp, answer in requests.items():
                answer.succeed(warp is chosen)
                if warp is not chosen:
                    warp.waited_for = "the issue slot"
            if chosen:
                self.greedy = chosen
                self.free_at = self.clock.cycle + 1 + chosen.head.hold

    def _choose(self, requests: Iterable[Warp]) -> Warp | None:
        """The first warp in order whose constant operand is here, unless one stops the sub-core."""
        if self.subcore.control or self.clock.cycle < self.free_at:
            return None
        for warp in in_order(
            self.sm.issue.policy,
            requests,
            self.greedy,
            self.clock.cycle,
            self.sm.issue.recency_cycles,
        ):
            if self.constants.serves(warp):
                return warp
            if not warp.has_stopped:
                warp.has_stopped = True
                self.free_at = self.clock.cycle + self.sm.l0_constant.stop_cycles
                return None
        return None


class ConstantCache:
    """The L0 cache for constant operands of fixed-latency instructions (3.5)."""

    def __init__(self, subcore: SubCore) -> None:
        shape = subcore.gpu.sm.l0_constant
        self.subcore, self.line_bytes = subcore, shape.line_bytes
        self.lines = Lines(shape.sets, shape.ways)
        self.to_send: list[int] = []
        self._waiting: dict[int, list[Warp]] = {}

    def serves(self, warp: Warp) -> bool:
        """Whether the operand of the warp's next instruction is here; if not, it is asked for."""
        inst = warp.head.inst
        if inst.constant is None or inst.unit == Unit.MEMORY or self.subcore.warm_constants:
            return True
        bank, offset = inst.constant
        line = (bank * CONSTANT_BANK + offset) // self.line_bytes
        if self.lines.use(line):
            return True
        if line not in self._waiting:
            self.to_send.append(line)
        self._waiting.setdefault(line, []).append(warp)
        warp.constant = line
        return False

    def arrive(self, line: int) -> None:
        """The L1.5 has answered."""
        self.lines.fill(line)
        for warp in self._waiting.pop(line):
            warp.constant = None
