"""How many consecutive 32-bit registers each operand names (sm-core 4.2).

SASS writes only the first register of a pair or quad; the width follows from the opcode and its
modifiers. A shape is (destination, sources by position); the last source width repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod

from .opcodes import Opcode
from .program import Access, Kind, Operand, Unit

Shape = tuple[int, tuple[int, ...]]

ONE: Shape = (1, (1,))
PAIRS: Shape = (2, (2,))
WIDE_TYPES = frozenset({"64", "S64", "U64", "F64", "F32x2"})
ACCESS_BITS = {
    "U8": 8, "S8": 8, "U16": 16, "S16": 16, "64": 64, "S64": 64, "U64": 64, "F64": 64,
    "F32x2": 64, "128": 128, "F32x4": 128, "256": 256,
}  # fmt: skip
ELEMENT_BITS = {
    "F64": 64, "TF32": 32, "F32": 32, "S32": 32, "F16": 16, "BF16": 16, "S8": 8, "U8": 8,
    "E4M3": 8, "E5M2": 8, "S4": 4, "U4": 4,
}  # fmt: skip
DIMENSIONS = {"1D": 1, "2D": 2, "3D": 3, "CUBE": 3, "ARRAY_1D": 2, "ARRAY_2D": 3, "ARRAY_CUBE": 4}

_MATRIX = re.compile(r"(8|16)x?(8)x?(\d+)")


def shape(
    entry: Opcode, opcode: str, modifiers: Sequence[str], operands: Sequence[Operand]
) -> Shape:
    """Widths of the register operands of one instruction, addresses aside."""
    if rule := SPECIAL.get(opcode):
        return rule(modifiers)
    if opcode.endswith("MMA"):
        return _tensor(opcode, modifiers)
    if entry.latency_class == "texture":
        return _texture(opcode, modifiers, operands)
    if entry.access is not Access.NONE:
        count = max(1, access_bits(opcode, modifiers) // 32)
        return (1 if "CAST" in modifiers else count), (count,)  # CAST returns a success flag
    if entry.unit is Unit.FP64 or not WIDE_TYPES.isdisjoint(modifiers):
        return PAIRS
    return ONE


def access_bits(opcode: str, modifiers: Sequence[str]) -> int:
    """Bits that one thread moves in a memory instruction."""
    if opcode in ("LDSM", "STSM"):
        return 32 * int(modifiers[-1]) if modifiers and modifiers[-1] in ("2", "4") else 32
    return max((ACCESS_BITS[m] for m in modifiers if m in ACCESS_BITS), default=32)


def address(modifiers: Sequence[str], suffixes: Sequence[str]) -> int:
    """Registers of an address: extended (`.E`) ones are 64-bit unless the register is `.U32`.

    Surface instructions have one register per dimension.
    """
    if dimensions := [DIMENSIONS[m] for m in modifiers if m in DIMENSIONS]:
        return dimensions[0]
    return 2 if "64" in suffixes or ("E" in modifiers and "U32" not in suffixes) else 1


def _wide(modifiers: Sequence[str], *types: str) -> int:
    return 2 if any(t in modifiers for t in types) else 1


def _multiply_add(modifiers: Sequence[str]) -> Shape:
    return (2, (1, 1, 2)) if "WIDE" in modifiers else ONE


def _special_register(modifiers: Sequence[str]) -> Shape:
    return ONE if "32" in modifiers else PAIRS


def _float_to_float(modifiers: Sequence[str]) -> Shape:
    types = (*(m for m in modifiers if m in ELEMENT_BITS), "F32", "F32")  # to, from
    return _wide(types[:1], "F64"), (_wide(types[1:2], "F64"),)


def _to_float(modifiers: Sequence[str]) -> Shape:
    return _wide(modifiers, "F64"), (_wide(modifiers, "S64", "U64"),)


def _to_integer(modifiers: Sequence[str]) -> Shape:
    return _wide(modifiers, "S64", "U64"), (_wide(modifiers, "F64"),)


def _move_matrix(modifiers: Sequence[str]) -> Shape:
    return _wide(modifiers, "U4TO8"), (1,)


SPECIAL: dict[str, Callable[[Sequence[str]], Shape]] = {
    **dict.fromkeys(("IMAD", "UIMAD"), _multiply_add),
    **dict.fromkeys(("CS2R", "CS2UR"), _special_register),
    # a funnel shift of two 32-bit registers, whatever the type says
    **dict.fromkeys(("SHF", "USHF"), lambda _: ONE),
    **dict.fromkeys(("LEPC", "FADD2", "FMUL2", "FFMA2"), lambda _: PAIRS),
    # targets are 64-bit code addresses
    **dict.fromkeys(("CALL", "RET", "BRX", "BRXU", "JMX", "JMXU"), lambda _: PAIRS),
    "F2F": _float_to_float,
    "I2F": _to_float,
    "F2I": _to_integer,
    "MATCH": lambda modifiers: (1, (_wide(modifiers, "U64"),)),
    "MOVM": _move_matrix,
}


def _tensor(opcode: str, modifiers: Sequence[str]) -> Shape:
    """Fragments of D = A x B + C, spread over the 32 lanes: bits of the matrix / 1024."""
    size = next((m for m in map(_MATRIX.fullmatch, modifiers) if m), None)
    if size is None:
        return ONE
    m, n, k = (int(part) for part in size.groups())
    if opcode == "HMMA" and (m, n, k) == (8, 8, 4):
        return PAIRS  # Volta's form: each quad multiplies its own matrices, in steps
    types = [ELEMENT_BITS[t] for t in modifiers if t in ELEMENT_BITS]
    accumulator, inputs = _element_bits(opcode, types)
    stored_k = k // 2 if "SP" in modifiers else k
    c = _fragment(m, n, accumulator)
    return c, (_fragment(m, stored_k, inputs[0]), _fragment(k, n, inputs[1]), c, 1)


def _element_bits(opcode: str, types: Sequence[int]) -> tuple[int, tuple[int, int]]:
    """Accumulator bits and the bits of an element of A and B, from the types in the opcode."""
    if opcode == "DMMA":
        return 64, (64, 64)
    if opcode == "BMMA":
        return 32, (1, 1)
    if opcode == "IMMA":
        a, b = (*types, 8, 8)[:2]
        return 32, (a, b)
    accumulator, a, b = (*types, *types[1:2], *(16,) * 3)[:3]
    return accumulator, (a, b)


def _fragment(*factors: int) -> int:
    return max(1, prod(factors) // 1024)


def _texture(opcode: str, modifiers: Sequence[str], operands: Sequence[Operand]) -> Shape:
    """Coordinates, handle (B) and level of detail (LL, LB), over the two source operands.

    The first holds the coordinates; scattered ones (SCR) are split evenly with what follows.
    """
    dimensions = next((DIMENSIONS[o.text] for o in operands if o.text in DIMENSIONS), 0)
    if opcode.startswith("SU"):
        count = max(1, access_bits(opcode, modifiers) // 32)
        return count, (count,)
    if opcode == "TXD":
        return 1, (dimensions, 2 * dimensions, 1)
    values = dimensions + ("B" in modifiers) + (not {"LL", "LB"}.isdisjoint(modifiers))
    first = (values + 1) // 2 if "SCR" in modifiers else max(1, dimensions)
    return 1, (first, max(1, values - first), 1)


def texture_results(operands: Sequence[Operand]) -> tuple[int, int]:
    """Registers of the two destinations: the second one holds the first two components."""
    mask = operands[-1].bits if operands and operands[-1].kind is Kind.IMMEDIATE else 1
    components = mask.bit_count()
    return max(0, components - 2), min(2, components)
