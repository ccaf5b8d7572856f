"""Scoreboards, which stand in for the compiler's control bits (sm-core 7.1)."""

from __future__ import annotations

import math
from collections import Counter

from ...isa.program import PT, Instruction, Space, Unit
from ..machine.schema import Sm
from .costs import TENSOR, Cost, Route

Register = tuple[str, int]

# Class of a reader: position in a row of `sm.bypass`.
READERS = ("alu", "fma", "fp16", "fp64", "tensor", "decoupled", "address", "uniform")
READER = {
    Unit.ALU: "alu",
    Unit.CLOCK: "alu",
    Unit.FMA: "fma",
    Unit.FMA_HEAVY: "fma",
    Unit.FP16: "fp16",
    Unit.FP64: "fp64",
    Unit.TENSOR: "tensor",
    Unit.MEMORY: "address",
    Unit.UNIFORM: "uniform",
}


def _reader(inst: Instruction) -> str:
    """Column of section 5.4: LDC and textures are decoupled, whatever queue they share."""
    if inst.latency_class == "fp16":
        return "fp16"
    if inst.space == Space.CONSTANT or inst.latency_class in ("texture", "match", "fp64_1"):
        return "decoupled"
    return READER.get(inst.unit, "decoupled")


def written(inst: Instruction) -> set[Register]:
    """Every register, of any class, that an instruction writes."""
    return {
        *(("R", r) for d in inst.dests for r in range(d.first, d.first + d.count)),
        *(("UR", r) for r in inst.dest_uniforms),
        *(("P", p) for p in inst.dest_predicates),
        *(("UP", p) for p in inst.dest_uniform_predicates),
    }


def guard(inst: Instruction) -> set[Register]:
    """The guard predicate, unless it is PT."""
    return set() if inst.guard == PT else {("UP" if inst.guard_uniform else "P", inst.guard)}


def read(inst: Instruction) -> set[Register]:
    """Every register that an instruction reads, the guard included."""
    return {
        *(("R", r) for s in inst.sources for r in range(s.first, s.first + s.count)),
        *(("UR", r) for r in inst.source_uniforms),
        *(("P", p) for p in inst.source_predicates),
        *(("UP", p) for p in inst.source_uniform_predicates),
        *guard(inst),
    }


class Scoreboard:
    """Both scoreboards of one warp: results on the way, and readers that have not read."""

    def __init__(self, sm: Sm) -> None:
        self.sm = sm
        self.on_the_way: Counter[Register] = Counter()
        self.bypass: dict[Register, tuple[int, Cost]] = {}  # cycle of the writer's issue, writer
        self.readers: Counter[Register] = Counter()
        self.releases = 0  # events to come

    def _late(self, cost: Cost) -> bool:
        """The result has no bypass: readers wait until it is written."""
        return cost.route != Route.FIXED or self.sm.dependence.release == "retire"

    def reserve(self, cost: Cost, cycle: int) -> None:
        """An instruction issues."""
        if read(cost.inst):
            self.releases += 1
            self.readers.update(read(cost.inst))
        if written(cost.inst) and self._late(cost):
            self.releases += 1
            self.on_the_way.update(written(cost.inst))
        self.bypass.update(dict.fromkeys(written(cost.inst), (cycle, cost)))

    def sources_read(self, cost: Cost) -> None:
        """An instruction has read its sources."""
        if read(cost.inst):
            self.releases -= 1
            self.readers.subtract(read(cost.inst))

    def written(self, cost: Cost) -> None:
        """An instruction has written its results."""
        if written(cost.inst) and self._late(cost):
            self.releases -= 1
            self.on_the_way.subtract(written(cost.inst))
            for register in written(cost.inst):
                self.bypass.pop(register, None)

    def free_at(self, inst: Instruction) -> float:
        """The cycle from which an instruction may issue; infinite: an event must come first."""
        most = self.sm.dependence.consumers
        results = written(inst)
        if most and any(self.readers[r] >= most for r in read(inst)):
            return math.inf
        if most and any(self.readers[r] for r in results):
            return math.inf
        own, guards = _reader(inst), guard(inst)
        at = [self._result_free_at(r, "guard" if r in guards else own) for r in read(inst)]
        at += [self._result_free_at(r, own) for r in results]
        return max(at, default=0)

    def _result_free_at(self, register: Register, reader: str) -> float:
        if self.on_the_way[register]:
            return math.inf
        if register not in self.bypass:
            return 0
        cycle, writer = self.bypass[register]
        return cycle + self._latency(writer, reader)

    def _latency(self, writer: Cost, reader: str) -> int:
        """Table of section 5.4."""
        rows = self.sm.bypass
        if reader == "guard":
            return rows.guard
        if writer.inst.opcode in TENSOR or writer.inst.unit == Unit.TENSOR:
            return writer.latency
        row = rows.fma if writer.inst.unit in (Unit.FMA, Unit.FMA_HEAVY) else rows.alu
        if writer.inst.unit == Unit.UNIFORM:
            row = rows.uniform
        if writer.inst.latency_class in ("fp16", "cs2r", "uniform_load"):
            row = getattr(rows, writer.inst.latency_class)
        return row[READERS.index(reader)]
