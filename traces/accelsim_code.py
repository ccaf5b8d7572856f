"""What a line of an Accel-Sim trace says about its static instruction, and back.

A line names the opcode, the first register of the result and of each source, and no predicates,
uniform registers or constants. Predicates are guessed: comparisons write P0, and what lanes were
seen to skip reads it.
"""

from __future__ import annotations

from ..isa import opcodes
from ..isa.program import RZ, Access, Instruction, Kind, Space
from ..isa.sass import parse_instruction

SOURCES = 4  # at most, in a line
PREDICATE_FIRST = (
    "ATOM",
    "ATOMG",
    "SHFL",
)  # the result is the second operand, a source in the line


def from_line(
    name: str,
    dest: str,
    sources: list[str],
    pc: int,
    immediate: int,
    arch: str,
    guarded: bool = False,
) -> Instruction:
    """The instruction, with the operands that the line has. Raises InputError if it makes none."""
    dest, *sources = ("RZ" if r == f"R{RZ}" else r for r in (dest, *sources))
    guard = "@P0 " * guarded
    return parse_instruction(guard + _text(name, dest, sources, pc, immediate), pc, arch)


def _text(name: str, dest: str, sources: list[str], pc: int, immediate: int) -> str:
    opcode, *modifiers = name.split(".")
    entry = opcodes.lookup(opcode, modifiers)
    operands = [dest] if dest else []
    if entry.writes == "PP":
        operands = ["P0", "PT"]
    if opcode in PREDICATE_FIRST and not dest:
        operands, sources = ["PT", *sources[:1]], sources[1:]
    elif "R" in entry.writes and not dest:
        operands = ["RZ"]  # a predicate or uniform register is the result
    if entry.access != Access.NONE:
        operands += _memory(entry, sources)
    elif opcode == "BRA":
        operands = [f"{pc:#x}"]
    elif opcode == "BAR":
        operands = ["0x0", *sources]
    elif opcode == "DEPBAR" and "LE" in modifiers:
        operands = ["SB0", f"{immediate:#x}"]
    else:
        operands += sources
    return f"{name} {', '.join(operands)} ;"


def _memory(entry: opcodes.Opcode, sources: list[str]) -> list[str]:
    """Operands from the address on; an address without a register has a uniform one."""
    if entry.space == Space.CONSTANT:
        return [f"c[0x0][{sources[0] if sources else '0x0'}]"]
    suffix = "" if entry.space in (Space.SHARED, Space.LOCAL) else ".64"
    if entry.access == Access.ASYNC_COPY:
        shared, *rest = sources or ["UR4"]
        return [f"[{shared}]", f"[{rest[0]}.64]" if rest else "[UR4]", *rest[1:]]
    stores = entry.access in (Access.STORE, Access.REDUCTION)
    if not sources or (stores and len(sources) == 1):
        return ["[UR4]", *sources]
    return [f"[{sources[0]}{suffix}]", *sources[1:]]


def to_line(inst: Instruction) -> str:
    """The fields from the number of results to the width."""
    first, *rest = inst.operands or (None,)
    dest = first if first and first.kind == Kind.REGISTER else None
    named = [
        o.index
        for o in (rest if dest else inst.operands)
        if o.kind in (Kind.REGISTER, Kind.ADDRESS) and o.index is not None
    ]
    sources = [f"R{index}" for index in named[:SOURCES]]
    result = f"1 R{dest.index}" if dest else "0"
    return " ".join([result, inst.name, str(len(sources)), *sources, str(width(inst))])


def width(inst: Instruction) -> int:
    """Bytes that a lane moves, 0 if the line has no addresses."""
    has_addresses = inst.access != Access.NONE and inst.space != Space.CONSTANT
    return max(inst.width // 8, 1) if has_addresses else 0


def immediate(inst: Instruction) -> int:
    """The last integer among the operands, else 0."""
    numbers = [o.bits for o in inst.operands if o.kind == Kind.IMMEDIATE and "." not in o.text]
    return numbers[-1] if numbers else 0
