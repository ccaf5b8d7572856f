"""The table of opcodes that the emulator can execute, and the check of a program against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...isa.program import INSTRUCTION_BYTES, PT, Instruction, Kind, Operand, Program
from .errors import UnsupportedError
from .state import SPECIAL_REGISTERS

if TYPE_CHECKING:
    from .step import Step

Handler = Callable[["Step"], None]

PREDICATES = (Kind.PREDICATE, Kind.UNIFORM_PREDICATE)
ADDRESS_SUFFIXES = frozenset({"64", "U32", "X4", "X8", "X16"})
NEVER_FALL_THROUGH = ("BRA", "EXIT", "RET", "JMP")


@dataclass(frozen=True, slots=True)
class Semantics:
    """How one opcode executes, and which spellings of it are covered."""

    execute: Handler
    modifiers: frozenset[str]
    suffixes: frozenset[str]  # of operands that are not addresses
    destination: bool  # the first number among the operands is written
    control: bool  # decides itself where its lanes go on


TABLE: dict[str, Semantics] = {}


def semantics(
    *opcodes: str,
    modifiers: str = "",
    suffixes: str = "",
    destination: bool = True,
    control: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a function as the meaning of some opcodes with some modifiers."""

    def register(execute: Handler) -> Handler:
        for opcode in opcodes:
            TABLE[opcode] = Semantics(
                execute,
                frozenset(modifiers.split()),
                frozenset(suffixes.split()),
                destination,
                control,
            )
        return execute

    return register


@dataclass(frozen=True, slots=True)
class Bound:
    """An instruction with its meaning and its operands sorted by role.

    Predicates before the first source number are results, those behind it are inputs; in control
    instructions all of them are inputs: further conditions beside the guard.
    """

    index: int
    instruction: Instruction
    meaning: Semantics
    destination: Operand | None
    sources: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    inputs: tuple[Operand, ...]


def bind(program: Program) -> list[Bound | None]:
    """Look up every reachable instruction; None where no warp can come."""
    bound: list[Bound | None] = [None] * len(program)
    problems = []
    for index in sorted(reachable(program)):
        instruction = program.instructions[index]
        problem = why_unsupported(instruction)
        if problem:
            problems.append(f"  {instruction.pc:#06x}  {instruction.text}  ({problem})")
        else:
            bound[index] = bind_instruction(index, instruction)
    if problems:
        raise UnsupportedError(
            f"kernel {program.name} ({program.arch}) has instructions that the emulator does not "
            "execute:\n" + "\n".join(problems[:10]) + ("\n  ..." if len(problems) > 10 else "")
        )
    return bound


def bind_instruction(index: int, instruction: Instruction) -> Bound:
    """Sort the operands of one instruction by role."""
    meaning = TABLE[instruction.opcode]
    predicates = [(i, o) for i, o in enumerate(instruction.operands) if o.kind in PREDICATES]
    numbers = [(i, o) for i, o in enumerate(instruction.operands) if o.kind not in PREDICATES]
    first = 1 if meaning.destination else 0
    border = numbers[first][0] if len(numbers) > first else len(instruction.operands)
    border = -1 if meaning.control else border
    return Bound(
        index,
        instruction,
        meaning,
        numbers[0][1] if meaning.destination and numbers else None,
        tuple(o for _, o in numbers[first:]),
        tuple(o for i, o in predicates if i < border),
        tuple(o for i, o in predicates if i > border),
    )


def why_unsupported(instruction: Instruction) -> str:
    """What about an instruction has no semantics here; empty if it can run."""
    meaning = TABLE.get(instruction.opcode)
    if meaning is None:
        return f"opcode {instruction.opcode}"
    unknown = [m for m in instruction.modifiers if m not in meaning.modifiers]
    if unknown:
        return f"modifier .{unknown[0]} of {instruction.opcode}"
    for operand in instruction.operands:
        known = ADDRESS_SUFFIXES if operand.kind is Kind.ADDRESS else meaning.suffixes
        unknown = [s for s in operand.suffixes if s not in known]
        if unknown:
            return f"suffix .{unknown[0]} of operand {operand.text}"
        if operand.kind is Kind.OTHER:
            return f"operand {operand.text}"
        if operand.kind is Kind.SPECIAL and operand.text not in SPECIAL_REGISTERS:
            return f"special register {operand.text}"
        if operand.kind is Kind.CONSTANT and operand.index is not None and not is_ldc(instruction):
            return f"constant at a register's address, {operand.text}"
    return ""


def is_ldc(instruction: Instruction) -> bool:
    """LDC is the one opcode whose constant operand has a per-thread address."""
    return instruction.opcode == "LDC"


def reachable(program: Program) -> set[int]:
    """Indices of the instructions that control flow from the entry can reach."""
    seen: set[int] = set()
    todo = [0]
    while todo:
        index = todo.pop()
        if index in seen or index >= len(program):
            continue
        seen.add(index)
        instruction = program.instructions[index]
        if instruction.target is not None:
            todo.append(instruction.target // INSTRUCTION_BYTES)
        always = instruction.guard == PT and not instruction.guard_negated
        conditional = any(o.kind in PREDICATES for o in instruction.operands)
        if not always or conditional or instruction.opcode not in NEVER_FALL_THROUGH:
            todo.append(index + 1)
    return seen
