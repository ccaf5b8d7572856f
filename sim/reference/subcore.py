"""One sub-core: Control, Allocate, the pipes, and the way of an instruction through them.

Sections of the specification: pipeline 4, units 5, results 6.1.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy

from ...isa.program import Unit
from ..machine.schema import Gpu
from .clock import Clock, Step
from .costs import Cost, Route
from .front_end import FrontEnd
from .issue import IssueSlot
from .memory import DoubleQueue, MemoryQueue, MemoryUnit
from .registers import ReadPorts, WriteBack
from .warp import Life, Op, Pipe, Warp

ISSUE_TO_READ = 3  # of special functions: Control, latch, read (4.1)


class SubCore:
    """The stages, and what instructions in flight wait for."""

    def __init__(
        self, number: int, clock: Clock, gpu: Gpu, costs: list[Cost], warm: frozenset[str]
    ) -> None:
        self.number, self.clock, self.gpu, self.costs = number, clock, gpu, costs
        self.warm_code, self.warm_constants = "icache" in warm, "const" in warm
        self.scoreboards = False
        self.warps: list[Warp] = []
        self.when_reclaimed: Callable[[Warp], None] = lambda warp: None
        self.control: Op | None = None  # latches of one instruction
        self.allocating: Op | None = None
        self.pipes = {unit: Pipe() for unit in Unit}
        self.special = simpy.Resource(clock.env)  # whose turn it is to read
        self.read_ports = ReadPorts(self)
        self.write_back = WriteBack(self)
        self.memory = MemoryQueue(self)
        self.memory_unit: MemoryUnit  # of the SM
        self.double = DoubleQueue(self)
        self.slot = IssueSlot(self)
        self.front_end = FrontEnd(self)

    def start(self) -> None:
        """Start the stages that work in every cycle."""
        for stage in (self.front_end.fetch, self.slot.run, self.write_back.run):
            self.clock.env.process(stage())

    def launch(self, warp: Warp) -> None:
        """A warp takes its place."""
        if self.slot.greedy and self.slot.greedy.place == warp.place:
            self.slot.greedy = None
        self.warps.append(warp)
        self.clock.env.process(warp.live())

    def reclaim(self, warp: Warp) -> None:
        """A warp gives its place back."""
        self.warps.remove(warp)
        self.when_reclaimed(warp)

    # The way of an instruction

    def lacks_room(self, cost: Cost) -> str:
        """What an instruction would wait for behind the issue slot; empty: nothing (3.3)."""
        if cost.route == Route.MEMORY:
            return "" if self.memory.room else "the memory queue"
        if cost.route == Route.DOUBLE:
            return "" if self.double.room else "the queue of the FP64 unit"
        return "" if self._free_pipe(cost) else f"the {cost.pipes[0].name} pipe"

    def _free_pipe(self, cost: Cost) -> Pipe | None:
        pipes = (self.pipes[unit] for unit in cost.pipes)
        return next((p for p in pipes if p.free_at <= self.clock.cycle), None)

    def accept(self, op: Op) -> None:
        """An instruction has issued: it enters Control, and takes its pipe or its place."""
        self.control = op
        if op.cost.pipes:
            op.pipe = self._free_pipe(op.cost)
            assert op.pipe
            op.pipe.free_at = self.clock.cycle + op.cost.interval
        ways = {
            Route.FIXED: self._fixed,
            Route.SPECIAL: self._special,
            Route.DOUBLE: self.double.transfer,
            Route.MEMORY: self.memory.pass_through,
        }
        self.clock.env.process(ways[op.cost.route](op))
        if op.cost.route != Route.FIXED:
            self.clock.call(self.clock.cycle + 1, Step.CONTROL, self._leave_control)

    def _leave_control(self) -> None:
        self.control = None

    def _fixed(self, op: Op) -> Life:
        """Control, Allocate, read window, unit."""
        clock = self.clock
        yield clock.next(Step.CONTROL)
        while self.allocating:
            yield clock.next(Step.CONTROL)
        self.control, self.allocating = None, op
        yield clock.next(Step.ALLOCATE)
        while not self.read_ports.allocate(op, clock.cycle):
            self._hold()
            yield clock.next(Step.ALLOCATE)
        self.allocating = None
        op.allocate = clock.cycle
        op.read_done = clock.cycle + op.cost.window
        op.warp.sources_read(op, op.read_done + 1)
        self.write_back.fixed(op, op.read_done + op.cost.latency)

    def _hold(self) -> None:
        """Held instructions keep their pipes longer (4.1)."""
        for op in (self.allocating, self.control):
            if op and op.pipe and op.cost.route == Route.FIXED:
                op.pipe.free_at += 1

    def _special(self, op: Op) -> Life:
        """Special functions and conversions read in order, one a cycle, when ports are free."""
        clock, cost = self.clock, op.cost
        with self.special.request() as turn:
            yield turn
            yield clock.at(max(op.issue + ISSUE_TO_READ, clock.cycle + 1), Step.READ_SPECIAL)
            while not self.read_ports.read_now(op, clock.cycle):
                yield clock.next(Step.READ_SPECIAL)
        late = clock.cycle - ISSUE_TO_READ - op.issue
        op.read_done = op.issue + late + cost.read - 1
        op.warp.sources_read(op, op.read_done + 1)
        self.write_back.special(op, op.issue + late + cost.latency - 1)
