"""What control bits promise and code needs: hazards, and stall counts larger than needed.

The hardware checks nothing (Huerta et al. 2025, section 4), so this does, over all paths through a
kernel: a value of fixed latency has to be there when it is read, one of variable latency has to be
waited for, and registers may not change before a queue has read them. Latencies are those between
classes of instructions in `[sm.bypass]` of the machine. Lenient where nothing is known: calls,
returns and computed jumps forget everything, and DEPBAR counts as a wait for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..isa.program import INSTRUCTION_BYTES, NO_COUNTER, PT, Instruction, Program, Space, Unit
from ..isa.registers import WIDE_TYPES
from .core import scoreboard as board
from .core.issue import COUNTER_VISIBLE
from .lowering import distance, program_table
from .machine.opcode_map import placed
from .machine.schema import Gpu
from .scoreboard_table import (
    bypass_row,
    reader_class,
    register_name,
    registers_read,
    registers_written,
)

Kind = Literal["RAW", "WAW", "WAR"]

NO_RETURN = ("EXIT", "RET", "BRX", "BRXU", "JMX", "JMXU", "RTT", "BPT", "CALL")
UNKNOWN_NEXT = ("RET", "BRX", "BRXU", "JMX", "JMXU", "CALL")  # what follows may need anything
DEPENDENCE_UNITS = tuple(unit for unit in Unit if unit not in (Unit.BRANCH, Unit.MISC))
# Of tensor instructions with so many registers of A, by class of the reader (sm-core 5.4: the
# vendor's for Turing and data-centre Ampere; compiled code for sm_86 leaves more, never less).
TENSOR_BYPASS = {
    1: (10, 10, 10, 10, 10, 10, 10, 10),
    2: (13, 13, 13, 13, 14, 11, 12, 13),
    4: (17, 17, 17, 17, 18, 15, 16, 17),
}
FORGET_AFTER = 64  # cycles: no fixed latency is that long


@dataclass(frozen=True)
class Hazard:
    """An instruction that comes too early after `producer` (byte offset).

    `needed` and `found` are cycles from issue to issue; None where only a dependence counter helps.
    """

    kind: Kind
    register: str
    producer: int
    needed: int | None
    found: int
    message: str


@dataclass
class Findings:
    """Hazards of one instruction, and how many cycles its stall count could be smaller.

    Only dependences count for that: pipes and ports take their time in any case.
    """

    hazards: list[Hazard] = field(default_factory=list)
    slack: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"hazards": [asdict(hazard) for hazard in self.hazards], "slack": self.slack}

    def __str__(self) -> str:
        notes = [f"{hazard.kind} hazard: {hazard.message}" for hazard in self.hazards]
        return "; ".join(notes + ([f"slack {self.slack}"] if self.slack else []))


@dataclass(frozen=True, order=True)
class _Value:
    """A register as the result of an instruction, or as a source that a queue has yet to read."""

    producer: int
    register: int
    source: bool = False


@dataclass(frozen=True)
class _Age:
    """Least cycles since the producer's issue, and counters of which any tells that it is done.

    `guard` is the producer's if its predicate has not changed since.
    """

    cycles: int
    counters: frozenset[int] = frozenset()
    guard: _Guard | None = None

    def excludes(self, inst: Instruction) -> bool:
        """Whether no thread executes both the producer and an instruction."""
        guard = _guard(inst)
        return guard is not None and self.guard == (guard[0], not guard[1])


_Guard = tuple[int, bool]  # predicate by its number as a register, negated
_State = dict[_Value, _Age]


def check(program: Program, gpu: Gpu) -> list[Findings]:
    """What each instruction of a program does too early, and which stall counts are too large."""
    analysis = _Analysis(placed(program, gpu), gpu)
    analysis.solve()
    return analysis.findings()


class _Analysis:
    def __init__(self, program: Program, gpu: Gpu) -> None:
        self._code = program.instructions
        self._written = [registers_written(inst) for inst in self._code]
        self._read = [registers_read(inst) for inst in self._code]
        self._distance = [distance(inst, gpu) for inst in self._code]
        table = program_table(program, gpu)
        self._bypass = [
            (*_bypass(inst, timing, gpu), gpu.sm.bypass.guard)
            for inst, timing in zip(self._code, table, strict=True)
        ]
        self._next = [list(self._successors(number)) for number in range(len(self._code))]
        self._before: list[_State | None] = [None] * len(self._code)

    def _successors(self, number: int) -> Iterator[int]:
        inst = self._code[number]
        conditional = inst.guard != PT or inst.guard_negated
        if inst.unit == Unit.BRANCH and inst.target is not None and inst.opcode != "BSSY":
            yield inst.target // INSTRUCTION_BYTES
        always = inst.opcode in ("BRA", "JMP") and not inst.source_predicates
        falls_through = conditional or not (always or inst.opcode in NO_RETURN)
        if falls_through and number + 1 < len(self._code):
            yield number + 1

    def solve(self) -> None:
        """The state before each instruction: the worst of all paths to it."""
        entries = self._entries()
        todo = list(reversed(entries))
        for entry in entries:
            self._before[entry] = {}
        while todo:
            number = todo.pop()
            after = self._after(number, self._before[number] or {})
            for following in self._next[number]:
                merged = _merge(self._before[following], after)
                if merged != self._before[following]:
                    self._before[following] = merged
                    todo.append(following)

    def _entries(self) -> list[int]:
        """Where control may come from somewhere unknown: the start, and behind calls and jumps."""
        reached = {target for following in self._next for target in following}
        return [number for number in range(len(self._code)) if number not in reached or not number]

    def _after(self, number: int, state: _State) -> _State:
        """The state when the next instruction may issue."""
        inst, written = self._code[number], self._written[number]
        read, done = inst.control.read_counter, inst.control.write_counter
        raised = frozenset({read, done} - {NO_COUNTER})
        replaced = set() if inst.guard != PT or inst.guard_negated else set(written)
        state = {
            value: self._in_order(value, age, inst)
            for value, age in state.items()
            if not self._awaited(inst, value, age)
            and (value.source or value.register not in replaced)
        }
        result = _Age(0, frozenset({done} - {NO_COUNTER}), _guard(inst))
        state |= {_Value(number, register): result for register in written}
        if not inst.fixed:
            registers = [r for s in inst.sources for r in range(s.first, s.first + s.count)]
            age = _Age(0, raised, _guard(inst))
            state |= {_Value(number, register, source=True): age for register in registers}
        cycles = self._distance[number]
        return {
            value: self._older(age, cycles, written)
            for value, age in state.items()
            if age.cycles + cycles < FORGET_AFTER or not self._code[value.producer].fixed
        }

    def _older(self, age: _Age, cycles: int, written: list[int]) -> _Age:
        guard = None if age.guard and age.guard[0] in written else age.guard
        return _Age(min(age.cycles + cycles, FORGET_AFTER), age.counters, guard)

    def _awaited(self, inst: Instruction, value: _Value, age: _Age) -> bool:
        """Whether an instruction waits for a value; a counter is seen two cycles after issue.

        A CTA barrier also waits until what its warp sent to memory has left the registers.
        """
        if inst.opcode == "BAR" and value.source:
            return True
        waits = _waits(inst)
        return age.cycles >= COUNTER_VISIBLE and any(waits >> c & 1 for c in age.counters)

    def _in_order(self, value: _Value, age: _Age, inst: Instruction) -> _Age:
        """One queue reads sources in order, and some units have results in order.

        So the counters of a later instruction tell of the earlier ones as well.
        """
        producer, control = self._code[value.producer], inst.control
        if value.source and _queue(producer) == _queue(inst):
            told = {control.read_counter, control.write_counter}
        elif not value.source and _same_order(producer, inst):
            told = {control.write_counter}
        else:
            return age
        return replace(age, counters=age.counters | told - {NO_COUNTER})

    def findings(self) -> list[Findings]:
        """Check every instruction against the state before it."""
        found = [Findings() for _ in self._code]
        spare: list[int | None] = [None] * len(self._code)  # None: nothing depends on it
        for number, state in enumerate(self._before):
            for value, age in (state or {}).items():
                margin = self._examine(number, value, age, found[number].hazards)
                if margin is not None:
                    self._limit(spare, value, number, max(margin, 0))
        for number, inst in enumerate(self._code):
            margin = spare[number]
            if margin is not None and inst.unit in DEPENDENCE_UNITS:
                found[number].slack = max(min(margin, self._distance[number] - 1), 0)
        return found

    def _examine(self, number: int, value: _Value, age: _Age, hazards: list[Hazard]) -> int | None:
        """Cycles to spare between a value's producer and an instruction; None: no dependence.

        Too few become a hazard.
        """
        inst, producer = self._code[number], self._code[value.producer]
        if inst.opcode in UNKNOWN_NEXT or not (inst.known and producer.known):
            return 0
        if self._awaited(inst, value, age):
            return None if inst.opcode == "BAR" else age.cycles - COUNTER_VISIBLE
        kind = None if age.excludes(inst) else self._kind(number, value)
        if kind is None:
            return None
        needed = self._needed(number, value) if producer.fixed else None
        if needed is None or age.cycles < needed:
            hazards.append(self._hazard(kind, inst, value, age, needed))
        return 0 if needed is None else age.cycles - needed

    def _kind(self, number: int, value: _Value) -> Kind | None:
        """How an instruction depends on a value that it does not wait for.

        Nothing of fixed latency is overtaken by a later write, nor is one in the same queue.
        """
        inst, producer = self._code[number], self._code[value.producer]
        writes = value.register in self._written[number]
        if value.source:
            behind = not inst.fixed and _queue(producer) == _queue(inst)
            return "WAR" if writes and not behind else None
        if value.register in self._read[number]:
            return "RAW"
        overtakes = not producer.fixed and not _same_order(producer, inst)
        return "WAW" if writes and overtakes else None

    def _needed(self, number: int, value: _Value) -> int:
        """Cycles from the issue of a fixed-latency producer to that of its reader."""
        inst = self._code[number]
        row = self._bypass[value.producer]
        predicate = value.register >= board.PREDICATE
        guard = _guard(inst)
        is_guard = guard is not None and value.register == guard[0]
        if is_guard or (predicate and reader_class(inst) == "decoupled"):
            return row[board.GUARD]
        return row[board.CLASSES.index(reader_class(inst))]

    def _hazard(
        self, kind: Kind, inst: Instruction, value: _Value, age: _Age, needed: int | None
    ) -> Hazard:
        producer, name = self._code[value.producer], register_name(value.register)
        who = f"{producer.opcode} at {producer.pc:#06x}"
        waits = [c for c in sorted(age.counters) if _waits(inst) >> c & 1]
        counters = " or ".join(f"SB{c}" for c in sorted(age.counters))
        if needed is not None:
            message = f"{name} of {who} needs {needed} cycles, has {age.cycles}"
        elif waits:
            message = f"SB{waits[0]} of {who} rises after 2 cycles, this comes after {age.cycles}"
        elif counters:
            verb = "read" if value.source else "written"
            message = f"{name} may not be {verb} yet by {who}; wait for {counters}"
        else:
            which = "read" if value.source else "write"
            message = f"{name} of {who} has no {which} counter to wait for"
        return Hazard(kind, name, producer.pc, needed, age.cycles, message)

    def _limit(self, spare: list[int | None], value: _Value, consumer: int, margin: int) -> None:
        """All instructions from a producer to its consumer share what is to spare."""
        for number in self._between(value, consumer):
            known = spare[number]
            spare[number] = margin if known is None else min(known, margin)

    def _between(self, value: _Value, consumer: int) -> Iterator[int]:
        """Instructions on a way from a value's producer to a consumer."""
        straight = range(value.producer, consumer)
        if straight and all(self._next[n] == [n + 1] for n in straight):
            yield from straight
            return
        yield value.producer
        for number, state in enumerate(self._before):
            if state and value in state:
                yield number


def _merge(known: _State | None, arriving: _State) -> _State:
    """The worst of two paths: least age, and only the counters of both."""
    if known is None:
        return arriving
    merged = known | arriving
    for value in known.keys() & arriving.keys():
        a, b = known[value], arriving[value]
        guard = a.guard if a.guard == b.guard else None
        merged[value] = _Age(min(a.cycles, b.cycles), a.counters & b.counters, guard)
    return merged


def _bypass(inst: Instruction, timing: Any, gpu: Gpu) -> tuple[int, ...]:
    if inst.unit == Unit.TENSOR and inst.sources and inst.sources[0].count in TENSOR_BYPASS:
        return TENSOR_BYPASS[inst.sources[0].count]
    return bypass_row(inst, timing, gpu)


def _waits(inst: Instruction) -> int:
    """Mask of the counters that an instruction waits for."""
    mask = inst.control.wait_mask
    if inst.opcode == "DEPBAR":
        for operand in inst.operands:
            for digit in re.findall(r"(?:SB|[{,])(\d)", operand.text):
                mask |= 1 << int(digit)
    return mask


def _guard(inst: Instruction) -> _Guard | None:
    if inst.guard == PT:
        return None
    first = board.UNIFORM_PREDICATE if inst.guard_uniform else board.PREDICATE
    return first + inst.guard, inst.guard_negated


def _queue(inst: Instruction) -> str:
    """The queue in which an instruction of variable latency reads its sources."""
    if inst.unit == Unit.FP64 or not WIDE_TYPES.isdisjoint(inst.modifiers):
        return "fp64" if inst.unit in (Unit.FP64, Unit.XU) else inst.unit.name
    return inst.unit.name


def _same_order(producer: Instruction, inst: Instruction) -> bool:
    """Whether results come in order: of shared memory, of SHFL, of units that are pipelines."""
    if _queue(producer) != _queue(inst):
        return False
    shared = producer.space == inst.space == Space.SHARED
    return shared or producer.opcode == inst.opcode == "SHFL" or inst.unit != Unit.MEMORY
