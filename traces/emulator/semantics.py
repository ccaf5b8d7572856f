"""The table of opcodes that the emulator can execute, and the check of a program against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...isa.program import INSTRUCTION_BYTES, PT, Instruction, Kind, Operand, Program
from .constants import BANKS
from .errors import UnsupportedError
from .state import SPECIAL_REGISTERS

if TYPE_CHECKING:
    from .step import Step

Handler = Callable[["Step"], None]

CONSTANT_LOADS = ("LDC", "ULDC", "LDCU")
PREDICATES = (Kind.PREDICATE, Kind.UNIFORM_PREDICATE)
ADDRESS_SUFFIXES = frozenset({"64", "U32", "X4", "X8", "X16"})
NEVER_FALL_THROUGH = ("BRA", "BRX", "EXIT", "RET")  # unless conditional
CONVERGENCE_TESTS = frozenset({"DIV", "CONV"})


@dataclass(frozen=True, slots=True)
class Semantics:
    """How one opcode executes, and which spellings of it are covered."""

    execute: Handler
    modifiers: frozenset[str]
    suffixes: frozenset[str]  # of operands that are not addresses; and operands that are words
    destination: bool  # the first number among the operands is written
    predicates: bool  # may have predicate operands beside its guard
    control: bool  # decides itself where its lanes go on


TABLE: dict[str, Semantics] = {}


def semantics(
    *opcodes: str,
    modifiers: str = "",
    suffixes: str = "",
    destination: bool = True,
    predicates: bool = True,
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
                predicates,
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


class Code:
    """The instructions of a program, bound, in blocks that warps always run to their end."""

    def __init__(self, program: Program) -> None:
        bound = bind(program)
        targets = {i.target // INSTRUCTION_BYTES for i in program.instructions if i.target}
        self._blocks: list[list[Bound]] = [[] for _ in bound]
        block: list[Bound] = []
        for index, instruction in reversed(list(enumerate(bound))):
            if instruction is None:
                block = []
                continue
            block = [instruction] if instruction.meaning.control else [instruction, *block]
            self._blocks[index] = block
            if instruction.meaning.control or index in targets:
                block = []

    def block(self, index: int) -> list[Bound]:
        """What every warp that comes to an instruction executes from there on.

        It is one control instruction, or others up to the next control instruction or target of a
        jump, where warps may meet; empty if no warp can come there.
        """
        return self._blocks[index] if index < len(self._blocks) else []


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
        if problem := why_operand_unsupported(operand, instruction, meaning):
            return f"{problem} {operand.text}"
    return ""


def why_operand_unsupported(
    operand: Operand, instruction: Instruction, meaning: Semantics
) -> str | None:
    """What kind of operand has no semantics here, None if it has."""
    match operand.kind:
        case Kind.OTHER if operand.text not in meaning.suffixes:
            return "operand"
        case Kind.SPECIAL if operand.text not in SPECIAL_REGISTERS:
            return "special register"
        case Kind.PREDICATE | Kind.UNIFORM_PREDICATE if not meaning.predicates:
            return f"{instruction.opcode} with predicate"
        case Kind.CONSTANT if operand.bank not in BANKS or operand.descriptor is not None:
            return "constant bank of"
        case Kind.CONSTANT if instruction.opcode not in CONSTANT_LOADS and (
            operand.index is not None or operand.uniform is not None
        ):
            return "constant at a register's address,"
    return None


def may_fall_through(instruction: Instruction) -> bool:
    """Whether some lane may go on behind an instruction."""
    guarded = instruction.guard != PT or instruction.guard_negated
    conditional = any(o.kind in PREDICATES for o in instruction.operands)
    by_convergence = not CONVERGENCE_TESTS.isdisjoint(instruction.modifiers)
    leaves = instruction.opcode in NEVER_FALL_THROUGH
    return guarded or conditional or by_convergence or not leaves


def reachable(program: Program) -> set[int]:
    """Indices of the instructions that control flow from the entry can reach.

    Jumps to a register may go anywhere in the program.
    """
    seen: set[int] = set()
    todo = [0]
    while todo:
        index = todo.pop()
        if index in seen or index >= len(program):
            continue
        seen.add(index)
        instruction = program.instructions[index]
        if is_indirect(instruction):
            return set(range(len(program)))
        if instruction.target is not None:
            todo.append(instruction.target // INSTRUCTION_BYTES)
        if may_fall_through(instruction):
            todo.append(index + 1)
    return seen


def is_indirect(instruction: Instruction) -> bool:
    """Whether the target of a jump or call is in registers; that of a return was called from."""
    called = instruction.opcode == "CALL" and instruction.target is None
    return called or instruction.opcode == "BRX"
