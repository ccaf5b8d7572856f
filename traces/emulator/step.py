"""One step: a few warps execute one instruction together. What semantics read and write through."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, reduce
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...isa.program import INSTRUCTION_BYTES, PT, RZ, URZ, Kind, Operand
from ..kernel import lanes_of
from .errors import EmulationError
from .fragments import Bits, Fragments, pack
from .lanes import put, result_bits, whole
from .semantics import Bound
from .state import State

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]
Lanes = NDArray[np.bool]
Wide = NDArray[np.uint64]

ZERO = np.zeros((1, 1), np.uint32)
SIGN = np.uint32(0x8000_0000)
LOW = np.uint64(0xFFFF_FFFF)


class Group:
    """Warps that execute the same instructions together, with the lanes of their fragments."""

    def __init__(self, fragments: Fragments, warps: NDArray[np.int64]) -> None:
        self.warps = warps
        contiguous = warps[-1] - warps[0] + 1 == len(warps)
        self.rows = slice(int(warps[0]), int(warps[-1]) + 1) if contiguous else warps
        self.active_bits = fragments.lanes[warps, fragments.slot[warps]]
        self.active = lanes_of(self.active_bits)
        self.complete = bool(self.active.all())


class Step:
    """The warps of a step, their operands as arrays that broadcast to (warps, 32), and results.

    A uniform operand has the shape (warps, 1) and a constant (1, 1), so the same semantics serve
    the vector and the uniform datapath. Results reach only the lanes that execute.
    """

    def __init__(self, state: State, bound: Bound, group: Group) -> None:
        self.state = state
        self.bound = bound
        self.group = group
        self.instruction = bound.instruction
        self.warps = group.warps
        self.rows = group.rows
        self.active_bits = group.active_bits
        conditions = self._conditions()
        self.unguarded = not conditions
        self.executed = reduce(np.logical_and, conditions, group.active)
        self.addresses: NDArray[np.int64] | None = None  # of a memory access, 0 where not executed
        self.shared_addresses: NDArray[np.int64] | None = None  # second ones, of a copy

    def _conditions(self) -> list[Lanes]:
        """The guard, unless it always holds, and the predicates of a conditional branch."""
        i = self.instruction
        conditions = []
        if i.guard != PT or i.guard_negated:
            kind = Kind.UNIFORM_PREDICATE if i.guard_uniform else Kind.PREDICATE
            conditions.append(self.predicate(Operand(kind, "", i.guard, negated=i.guard_negated)))
        if self.bound.meaning.control and i.opcode != "BAR":
            conditions += [self.predicate(operand) for operand in self.bound.inputs]
        return conditions

    @cached_property
    def executed_bits(self) -> Bits:
        """Lane masks of `executed`."""
        return self.active_bits if self.unguarded else pack(self.executed)

    @cached_property
    def everyone(self) -> bool:
        """Whether all lanes of all warps of the step execute."""
        return self.group.complete if self.unguarded else bool(self.executed.all())

    def has(self, modifier: str) -> bool:
        """Whether the instruction carries a modifier."""
        return modifier in self.instruction.modifiers

    # Reading

    @property
    def sources(self) -> tuple[Operand, ...]:
        return self.bound.sources

    def raw(self, operand: Operand, word: int = 0) -> Words:
        """One 32-bit word of an operand, without its sign, bar and complement."""
        match operand.kind:
            case Kind.REGISTER | Kind.ADDRESS:
                return self.register(operand.index, word)
            case Kind.UNIFORM:
                return self.uniform(operand.index, word)
            case Kind.CONSTANT:
                return self.constant(operand.bank, operand.offset + 4 * word)
            case Kind.IMMEDIATE:
                return np.full((1, 1), operand.bits >> 32 * word & 0xFFFF_FFFF, np.uint32)
            case _:
                raise EmulationError(
                    f"{self.instruction.text}: operand {operand.text} has no value"
                )

    def register(self, index: int | None, word: int = 0) -> Words:
        if index is None or index == RZ:
            return ZERO
        return self.state.registers[index + word, self.rows]

    def uniform(self, index: int | None, word: int = 0) -> Words:
        if index is None or index == URZ:
            return ZERO
        return self.state.uniforms[index + word, self.rows][:, None]

    def constant(self, bank: int, offset: int) -> Words:
        return self.state.launch.banks[bank][offset >> 2 : (offset >> 2) + 1].reshape(1, 1)

    def integer(self, operand: Operand) -> Words:
        """A 32-bit integer operand."""
        value = self.raw(operand)
        if operand.kind is Kind.IMMEDIATE:
            return value  # its bits already carry the sign
        if operand.absolute:
            value = np.abs(value.view(np.int32)).view(np.uint32)
        if operand.inverted:
            value = ~value
        return -value if operand.negated else value

    def wide(self, operand: Operand) -> Wide:
        """A 64-bit operand: a register pair, two constants, or an immediate with its sign."""
        if operand.kind is Kind.IMMEDIATE and operand.bits >> 32 == 0:
            return self.raw(operand).view(np.int32).astype(np.int64).view(np.uint64)
        value = self.raw(operand).astype(np.uint64)
        value = value | self.raw(operand, 1).astype(np.uint64) << np.uint64(32)
        if operand.inverted:
            value = ~value
        return -value if operand.negated else value

    def floating(self, operand: Operand) -> Floats:
        """A binary32 operand; FTZ flushes its denormals."""
        bits = self.raw(operand)
        if operand.kind is not Kind.IMMEDIATE:
            bits = bits & ~SIGN if operand.absolute else bits
            bits = bits ^ SIGN if operand.negated else bits
        return (flush(bits) if self.has("FTZ") else bits).view(np.float32)

    def predicate(self, operand: Operand) -> Lanes:
        """A predicate operand."""
        if operand.kind is Kind.UNIFORM_PREDICATE:
            value = self.state.uniform_predicates[operand.index, self.rows][:, None]
        else:
            value = self.state.predicates[operand.index, self.rows]
        return ~value if operand.negated else value

    def input(self, number: int, default: bool) -> Lanes:
        """The numbered predicate input, or a default where the instruction does not spell it."""
        if number < len(self.bound.inputs):
            return self.predicate(self.bound.inputs[number])
        return np.full((1, 1), default)

    # Writing

    def write(self, *words: Words) -> None:
        """Write the destination, consecutive registers for several words."""
        operand = self.bound.destination
        assert operand is not None
        self.write_to(operand, *words)

    def write_to(self, operand: Operand, *words: Words) -> None:
        """Write registers or uniform registers in the lanes that execute."""
        assert operand.index is not None
        for number, value in enumerate(words):
            if operand.kind is Kind.UNIFORM:
                if operand.index != URZ:
                    self._put(self.state.uniforms[operand.index + number], self.one_each(value))
            elif operand.index != RZ:
                self._put(self.state.registers[operand.index + number], value)

    def write_wide(self, value: Wide) -> None:
        """Write a 64-bit result."""
        self.write((value & LOW).astype(np.uint32), (value >> np.uint64(32)).astype(np.uint32))

    def write_float(self, value: Floats) -> None:
        """Write a binary32 result: NaNs become canonical, SAT clamps, FTZ flushes."""
        self.write(result_bits(np.ascontiguousarray(value), self.has("SAT"), self.has("FTZ")))

    def output(self, number: int, value: Lanes) -> None:
        """Write the numbered predicate result, if the instruction spells it."""
        if number >= len(self.bound.outputs):
            return
        self.write_predicate(self.bound.outputs[number], value)

    def write_predicate(self, operand: Operand, value: Lanes) -> None:
        """Write a predicate in the lanes that execute."""
        assert operand.index is not None
        if operand.index == PT:
            return
        if operand.kind is Kind.UNIFORM_PREDICATE:
            self._put(self.state.uniform_predicates[operand.index], self.one_each(value))
        else:
            self._put(self.state.predicates[operand.index], value)

    def one_each(self, value: NDArray[Any]) -> NDArray[Any]:
        """One value for each warp: that of its lowest executing lane."""
        rows: NDArray[Any] = np.broadcast_to(value, (len(self.warps), value.shape[1]))
        lane = 0 if value.shape[1] == 1 else self.executed.argmax(axis=1)
        return np.asarray(rows[np.arange(len(self.warps)), lane])

    def _put(self, target: NDArray[Any], value: NDArray[Any]) -> None:
        """Store into the warps of the step where lanes execute."""
        if self.everyone:
            target[self.rows] = value
            return
        if target.ndim == 2:
            shape = self.executed.shape
            put(
                target,
                self.warps,
                self.executed,
                whole(value.astype(target.dtype, copy=False), shape),
            )
        else:
            some = self.executed.any(axis=1)
            target[self.warps[some]] = value[some]

    def put_barrier(self, operand: Operand, lanes: Words) -> None:
        """Write each lane's copy of a convergence barrier register."""
        assert operand.index is not None
        self._put(self.state.barriers[operand.index], lanes)

    # Where to go on

    def go(self, target: int) -> None:
        """Send the lanes to the instruction at a byte offset."""
        self.state.fragments.jump(self.warps, target // INSTRUCTION_BYTES)

    def go_each(self, targets: NDArray[np.int64]) -> None:
        """Send each lane to a target of its own."""
        targets = np.broadcast_to(targets // INSTRUCTION_BYTES, self.executed.shape)
        self.state.fragments.scatter(self.warps, targets, self.executed)

    def open_cta_barriers(self) -> None:
        """Let CTAs of the step go on if all their live threads have arrived."""
        warps_per_cta = self.state.launch.warps_per_cta
        ctas = np.unique(self.warps // warps_per_cta)
        self.state.fragments.open_cta_barriers(ctas, warps_per_cta)

    # Errors

    def fault(self, bad: Lanes, what: Callable[[int, int], str]) -> NoReturn:
        """Raise an error for the first lane of `bad`; `what` describes it for (row, lane)."""
        row, lane = (int(i) for i in np.argwhere(bad)[0])
        self.fault_at(row, lane, what(row, lane))

    def fault_at(self, row: int, lane: int, what: str) -> NoReturn:
        """Raise an error for a lane of a warp of the step."""
        place = self.state.describe(int(self.warps[row]), lane)
        raise EmulationError(
            f"kernel {self.state.launch.program.name}, {self.instruction.pc:#06x} "
            f"{self.instruction.text}: {place}: {what}"
        )


def flush(bits: Words) -> Words:
    """Denormals of binary32 become zeros of the same sign."""
    return np.where(bits & np.uint32(0x7F80_0000), bits, bits & SIGN)
