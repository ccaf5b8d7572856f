"""The life of a warp: it waits until it is ready, asks for the slot, issues (sm-core 1, 3)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import simpy
from simpy.resources.resource import Request

from .clock import Step
from .costs import Cost, Depbar
from .scoreboard import Scoreboard

if TYPE_CHECKING:
    from .subcore import SubCore

COUNTERS = 6
ISSUE_TO_COUNT = 2  # an increment is seen two cycles after issue (6.3)

Life = Generator[simpy.Event, Any, None]


@dataclass
class Entry:
    """A place of the instruction buffer; not decoded: reserved by a fetch (2.2)."""

    pc: int
    fetched: int
    decoded: int | None = None


@dataclass(eq=False)
class Group:
    """Copies that one LDGDEPBAR closes (1.8)."""

    pending: int = 0
    counter: int | None = None  # None: still open
    counted_at: int = 0  # when the counter is seen to count up


@dataclass(eq=False)
class Op:
    """An instruction in flight, and the cycles of its stages (-1: no such stage)."""

    warp: Warp
    pc: int
    cost: Cost
    fetch: int
    decode: int
    issue: int
    since: int  # issue of the instruction before
    waited_for: str
    executes: bool
    pipe: Pipe | None = None
    group: Group | None = None
    pending: Request | None = None  # entry of the pending request table
    allocate: int = -1
    read_done: int = -1
    writeback: int = -1


@dataclass(eq=False)
class Pipe:
    """The input of a unit (5.1)."""

    free_at: int = 0


@dataclass(eq=False)
class Cta:
    """What the warps of a CTA share: its barriers (1.7)."""

    number: int
    live: int
    arrived: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, list[Warp]] = field(default_factory=dict)
    needed: dict[int, int] = field(default_factory=dict)


class Warp:
    """One warp on its place in a sub-core."""

    def __init__(
        self,
        subcore: SubCore,
        place: int,
        serial: int,
        cta: Cta,
        number: int,
        trace: Iterable[tuple[int, bool]],
    ) -> None:
        self.subcore, self.clock, self.gpu = subcore, subcore.clock, subcore.gpu
        self.place, self.serial, self.cta, self.number = place, serial, cta, number
        self.trace = list(trace)  # PC, and whether any lane executes
        self.issued: list[Op] = []
        self.issued_at = self.clock.cycle
        self.buffer: list[Entry] = []
        self.stream = 0  # counts redirects: an answer to an older stream is dropped
        self.fetch_from = 0
        self.may_issue_at = 0
        self.counters = [0] * COUNTERS
        self.depbar: Depbar | None = None
        self.gated = False
        self.at_barrier = False
        self.fence_until: int | None = None
        self.groups = [Group()]
        self.in_flight = 0
        self.constant: int | None = None  # line that the next instruction waits for
        self.has_stopped = False  # the next instruction has stopped the sub-core for a constant
        self.scoreboard = Scoreboard(self.gpu.sm) if subcore.scoreboards else None
        self.waited_for = ""

    @property
    def left(self) -> int:
        """Dynamic instructions not issued yet."""
        return len(self.trace) - len(self.issued)

    @property
    def head(self) -> Cost:
        """The next instruction."""
        return self.subcore.costs[self.trace[len(self.issued)][0]]

    def live(self) -> Life:
        """The process."""
        while self.left:
            yield self.clock.next(Step.REQUEST)
            self._leave_depbar()
            reason = self.waits_for()
            if reason:
                self.waited_for = reason
            elif (yield self.subcore.slot.request(self)):
                self._issue()
        yield self.clock.at(self.clock.cycle, Step.RETIRE)
        while not self.idle:
            yield self.clock.next(Step.RETIRE)
        self.subcore.reclaim(self)

    @property
    def idle(self) -> bool:
        """Nothing in flight and all counters zero (1.6)."""
        board = self.scoreboard
        return not (self.in_flight or any(self.counters) or (board and board.releases))

    # Readiness (3.3)

    def waits_for(self) -> str:
        """The first condition of readiness that fails; empty: the warp may ask for the slot."""
        cycle, cost = self.clock.cycle, self.head
        if self.at_barrier:
            return "a barrier"
        if not self.buffer or self.buffer[0].decoded is None:
            return "its instruction"
        if cycle < self.may_issue_at:
            return "its stall count"
        if self.scoreboard:
            if cycle < self.scoreboard.free_at(cost.inst):
                return "a scoreboard"
        elif busy := [k for k in cost.wait_for if self.counters[k]]:
            return ", ".join(f"SB{k} = {self.counters[k]}" for k in busy)
        if self.gated:
            return "DEPBAR"
        if self.fence_until is not None and (cycle < self.fence_until or not self.idle):
            return "a fence"
        if self.constant is not None:
            return "a constant"
        return self.subcore.lacks_room(cost)

    def _leave_depbar(self) -> None:
        """A DEPBAR in force lets the warp go when it holds once (1.8)."""
        if self.gated and self.depbar and self.depbar.holds(self.counters):
            self.gated = False

    # Issue (3.7)

    def _issue(self) -> None:
        cycle, entry = self.clock.cycle, self.buffer.pop(0)
        pc, executes = self.trace[len(self.issued)]
        cost = self.subcore.costs[pc]
        assert entry.pc == pc
        assert entry.decoded is not None
        op = Op(
            *(self, pc, cost, entry.fetched, entry.decoded, cycle),
            *(self.issued_at, self.waited_for, executes),
        )
        self.waited_for = ""
        self.issued.append(op)
        self.issued_at = cycle
        self.may_issue_at = cycle + self._distance(cost)
        self.in_flight += 1
        self.has_stopped = False
        self.fence_until = cycle + cost.fence if cost.fence else None
        self._mark_results(op)
        self._synchronise(op)
        self.subcore.accept(op)
        self._redirect(pc)
        if not self.left:
            self._leave_barriers()

    def _distance(self, cost: Cost) -> int:
        """Scoreboards ignore stall counts; DEPBAR keeps the four cycles that it needs (7.1)."""
        if not self.scoreboard:
            return cost.distance
        return self.gpu.sm.issue.depbar_cycles if cost.depbar else 1

    def _mark_results(self, op: Op) -> None:
        if self.scoreboard:
            self.scoreboard.reserve(op.cost, self.clock.cycle)
            return
        for counter in (op.cost.read_counter, op.cost.write_counter):
            if counter is not None:
                self.later(ISSUE_TO_COUNT, counter, 1)

    def _redirect(self, pc: int) -> None:
        """A taken branch, or the end, empties the buffer (2.7)."""
        if self.left and self.trace[len(self.issued)][0] == pc + 1:
            return
        self.buffer.clear()
        self.stream += 1
        self.fetch_from = self.clock.cycle + self.gpu.sm.fetch.redirect_delay

    # Dependence counters (6.3)

    def later(self, cycles: int, counter: int, by: int) -> None:
        """A counter changes, seen by the issue logic so many cycles from now."""
        self.clock.call(self.clock.cycle + cycles, Step.CHANGE, self._count, counter, by)

    def _count(self, counter: int, by: int) -> None:
        self.counters[counter] += by

    def sources_read(self, op: Op, seen_at: int) -> None:
        """The sources of an instruction may be overwritten."""
        if self.scoreboard:
            self.clock.call(seen_at, Step.CHANGE, self.scoreboard.sources_read, op.cost)
        elif op.cost.read_counter is not None:
            self.later(seen_at - self.clock.cycle, op.cost.read_counter, -1)

    def retire(self, op: Op) -> None:
        """An instruction has written its result, or done what it does without one."""
        op.writeback = self.clock.cycle
        self.in_flight -= 1
        if op.pending:
            op.pending.resource.release(op.pending)
        if op.group:
            end = self.subcore.memory_unit.write_copy(op)
            self.clock.call(end, Step.CHANGE, self._written, op.group)
        if op.cost.read_with_result:
            self.sources_read(op, self.clock.cycle + 1)
        if self.scoreboard:
            self.clock.call(self.clock.cycle + 1, Step.CHANGE, self.scoreboard.written, op.cost)
        elif op.cost.write_counter is not None:
            self.later(1, op.cost.write_counter, -1)

    # Barriers, fences, groups of copies (1.7, 1.8)

    def _synchronise(self, op: Op) -> None:
        cost = op.cost
        if cost.depbar:
            self.depbar = cost.depbar
            gate_at = self.clock.cycle + self.gpu.sm.issue.depbar_cycles
            self.clock.call(gate_at, Step.CHANGE, self._enforce)
        if cost.barrier:
            self._arrive(op)
        if cost.copies:
            op.group = self.groups[-1]
            op.group.pending += 1
        if cost.commits is not None:
            self.groups[-1].counter = cost.commits
            self.groups[-1].counted_at = self.clock.cycle + ISSUE_TO_COUNT
            self.groups.append(Group())
            self.later(ISSUE_TO_COUNT, cost.commits, 1)
            self._settle_groups()

    def _enforce(self) -> None:
        self.gated = True

    def _written(self, group: Group) -> None:
        """A copy is in shared memory."""
        group.pending -= 1
        self._settle_groups()

    def _settle_groups(self) -> None:
        """Complete groups drop their counters, in order, after they were seen to count up."""
        while self.groups[0].counter is not None and not self.groups[0].pending:
            group = self.groups.pop(0)
            seen_at = max(self.clock.cycle, group.counted_at) + 1
            self.later(seen_at - self.clock.cycle, group.counter or 0, -1)

    def _arrive(self, op: Op) -> None:
        barrier, cta = op.cost.barrier, self.cta
        assert barrier
        cta.arrived[barrier.number] = cta.arrived.get(barrier.number, 0) + 1
        cta.needed[barrier.number] = barrier.warps
        if barrier.waits:
            self.at_barrier = True
            cta.waiting.setdefault(barrier.number, []).append(self)
        self._release(barrier.number)

    def _leave_barriers(self) -> None:
        self.cta.live -= 1
        for number in list(self.cta.arrived):
            self._release(number)

    def _release(self, number: int) -> None:
        """Let all go if the last one is here."""
        cta = self.cta
        arrived = cta.arrived[number]
        if not arrived or arrived < (cta.needed[number] or cta.live):
            return
        cta.arrived[number] = 0
        seen_at = self.clock.cycle + max(self.gpu.sm.barrier.latency, 1)
        for warp in cta.waiting.pop(number, []):
            self.clock.call(seen_at, Step.CHANGE, warp.pass_barrier)

    def pass_barrier(self) -> None:
        """The barrier is behind the warp."""
        self.at_barrier = False
