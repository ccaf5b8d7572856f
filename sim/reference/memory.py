"""Memory instructions up to the L1 hit, and the FP64 unit (sm-core 5.5, 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import simpy

from .clock import Step
from .warp import Life, Op

if TYPE_CHECKING:
    from .subcore import SubCore


class MemoryQueue:
    """The local memory unit of a sub-core: places, and an address stage in order (6.4)."""

    def __init__(self, subcore: SubCore) -> None:
        self.subcore, self.clock = subcore, subcore.clock
        self.shape = subcore.gpu.sm.local_unit
        self._places = simpy.Resource(self.clock.env, self.shape.capacity)
        self._stage = simpy.Resource(self.clock.env)
        self.ready: list[tuple[int, Op, simpy.Event]] = []  # earliest grant, in order of issue

    @property
    def room(self) -> bool:
        """Whether another instruction may issue."""
        return self._places.count < self.shape.capacity

    def pass_through(self, op: Op) -> Life:
        """From issue to the grant."""
        clock, cost = self.clock, op.cost
        with self._places.request():
            turn = self._stage.request()
            yield turn
            first = max(op.issue + self.shape.issue_to_read, clock.cycle)
            yield clock.at(first, Step.READ_MEMORY)
            while not self.subcore.read_ports.read_now(op, clock.cycle):
                yield clock.next(Step.READ_MEMORY)
            clock.call(clock.cycle + cost.occupancy, Step.CHANGE, self._stage.release, turn)
            late = clock.cycle - self.shape.issue_to_read - op.issue
            op.read_done = op.issue + late + cost.read - 1
            if not cost.read_with_result:
                op.warp.sources_read(op, op.read_done + 1)
            granted = clock.env.event()
            self.ready.append((op.issue + late + cost.grant, op, granted))
            yield granted


class MemoryUnit:
    """The unit of the SM: an arbiter that grants every second cycle, the pending request table,
    which keeps loads until write-back, and the data stage (memory 2.1, 2.3)."""

    def __init__(self, subcores: list[SubCore]) -> None:
        self.clock, self.sm = subcores[0].clock, subcores[0].gpu.sm
        self._turn = list(subcores)  # who is served first: the one behind the last served
        self._stage_free = 0
        self._texture_free = 0
        for subcore in subcores:
            subcore.memory_unit = self
        self._table = simpy.Resource(self.clock.env, self.sm.memory_unit.pending_requests)

    def run(self) -> Life:
        """The process: round robin over the sub-cores, in order inside each."""
        while True:
            yield self.clock.next(Step.GRANT)
            subcore = next((s for s in self._turn if self._is_ready(s)), None)
            if subcore:
                while self._turn[-1] is not subcore:
                    self._turn.append(self._turn.pop(0))
                _, op, granted = subcore.memory.ready.pop(0)
                granted.succeed()
                self._access(subcore, op)
                interval = self.sm.memory_unit.grant_interval
                yield self.clock.at(self.clock.cycle + interval - 1, Step.CHANGE)

    def _is_ready(self, subcore: SubCore) -> bool:
        ready = subcore.memory.ready
        room = self._table.count < self._table.capacity
        return room and bool(ready) and ready[0][0] <= self.clock.cycle

    def _access(self, subcore: SubCore, op: Op) -> None:
        """A hit without bank conflicts; the data stage takes one wavefront after another."""
        begin = self.clock.cycle + self.sm.data_path.entry
        op.pending = self._table.request()
        late = 0
        if op.cost.inst.is_texture:
            late = max(self._texture_free - begin, 0)
            self._texture_free = begin + late + self.sm.memory_unit.texture_interval
        if op.cost.wavefronts and op.executes:
            late = max(self._stage_free - begin, 0)
            self._stage_free = begin + late + op.cost.wavefronts * self.sm.l1d.stage_cycles
        if op.cost.stores:
            self.clock.call(begin + late, Step.WRITE, op.warp.retire, op)
        else:
            subcore.write_back.load(op, self.clock.cycle + op.cost.first_beat + late)

    def write_copy(self, op: Op) -> int:
        """Copied data goes through the stage once more; returns the last cycle of that."""
        if not op.executes:
            return self.clock.cycle
        begin = max(self._stage_free, self.clock.cycle + 1)
        self._stage_free = begin + op.cost.copied * self.sm.l1d.stage_cycles
        return self._stage_free - 1


class DoubleQueue:
    """The sub-core's side of the FP64 unit: places, and the transfer of the operands (5.5)."""

    def __init__(self, subcore: SubCore) -> None:
        self.clock, self.shape = subcore.clock, subcore.gpu.sm.fp64
        self._places = simpy.Resource(self.clock.env, self.shape.queue)
        self._transfer_free = 0
        self.waiting: list[tuple[int, Op, simpy.Event]] = []  # when the operands are at the unit

    @property
    def room(self) -> bool:
        """Whether another instruction may issue."""
        return self._places.count < self.shape.queue

    def transfer(self, op: Op) -> Life:
        """From issue until the unit takes the instruction."""
        operands = self.shape.operand_cycles * len(op.cost.inst.sources)
        with self._places.request():
            taken = self.clock.env.event()
            at = max(op.issue + self.shape.transfer_cycles, self._transfer_free) + operands
            self._transfer_free = at
            op.read_done = at - 1
            op.warp.sources_read(op, at)
            self.waiting.append((at, op, taken))
            yield taken


class DoubleUnit:
    """The FP64 unit of the SM: whose operands came first is first (5.5)."""

    def __init__(self, subcores: list[SubCore]) -> None:
        self.subcores, self.clock = subcores, subcores[0].clock
        self.shape = subcores[0].gpu.sm.fp64

    def run(self) -> Life:
        """The process."""
        while True:
            yield self.clock.next(Step.DOUBLE)
            waiting = [s for s in self.subcores if s.double.waiting]
            subcore = min(waiting, key=lambda s: s.double.waiting[0][0], default=None)
            if subcore and subcore.double.waiting[0][0] <= self.clock.cycle:
                _, op, taken = subcore.double.waiting.pop(0)
                taken.succeed()
                subcore.write_back.load(op, self.clock.cycle + self.shape.result_cycles)
                yield self.clock.at(self.clock.cycle + self.shape.interval - 1, Step.CHANGE)
