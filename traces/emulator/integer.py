"""Integer arithmetic, logic, shifts and comparisons, for the vector and the uniform datapath."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.program import PT, Kind, Operand
from .lanes import whole
from .semantics import semantics
from .step import LOW, ZERO, Lanes, Step, Wide, Words

Signed = NDArray[np.int32]

PACKED = {"U8x4": np.uint8, "S8x4": np.int8, "U16x2": np.uint16, "S16x2": np.int16}
NO_CARRY = np.zeros((1, 1), np.uint64)

COMPARISONS: dict[str, Callable[[Any, Any], Lanes]] = {
    "LT": np.less,
    "EQ": np.equal,
    "LE": np.less_equal,
    "GT": np.greater,
    "NE": np.not_equal,
    "GE": np.greater_equal,
}
COMBINATIONS: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
}


def signed(value: Words) -> Signed:
    """The same bits as a two's complement integer."""
    return value.view(np.int32)


def words(value: Wide) -> Words:
    """The low words."""
    return (value & LOW).astype(np.uint32)


def high(value: Wide) -> Words:
    """The high words."""
    return (value >> np.uint64(32)).astype(np.uint32)


def addend(s: Step, operand: Operand) -> Wide:
    """A 32-bit operand in 64 bits; the negation of zero is 2**32, so that it carries."""
    value = s.raw(operand).astype(np.uint64)
    if operand.kind is Kind.IMMEDIATE:
        return value
    if operand.negated:
        return np.uint64(2**32) - value
    return value ^ LOW if operand.inverted else value


def carries_in(s: Step) -> Wide:
    """Sum of the carry inputs of an extended operation."""
    inputs = s.bound.inputs if s.has("X") else ()
    return reduce(np.add, (s.predicate(p).astype(np.uint64) for p in inputs), NO_CARRY)


def parts(s: Step, operand: Operand) -> Any:
    """An operand as small integers, several in a word, of the type that the modifiers name."""
    kind = next(PACKED[m] for m in s.instruction.modifiers if m in PACKED)
    value = whole(s.raw(operand), s.executed.shape).view(kind)
    return -value if operand.negated else value


def is_packed(s: Step) -> bool:
    """Whether an operation is on parts of words."""
    return not PACKED.keys().isdisjoint(s.instruction.modifiers)


@semantics("IADD", "UIADD", "VIADD", modifiers=f"64 {' '.join(PACKED)}")
def iadd(s: Step) -> None:
    """Adds two integers, or several small ones."""
    a, b = s.sources
    if is_packed(s):
        return s.write((parts(s, a) + parts(s, b)).view(np.uint32))
    if s.has("64"):
        return s.write_wide(s.wide(a) + s.wide(b))
    s.write(s.integer(a) + s.integer(b))


@semantics("IADD3", "UIADD3", modifiers="X 64")
def iadd3(s: Step) -> None:
    """Adds three integers; up to two carries go out, with X up to two come in.

    Those of 64 bits have no carries.
    """
    if s.has("64"):
        return s.write_wide(reduce(np.add, (s.wide(o) for o in s.sources)))
    if not s.bound.outputs and not s.has("X"):
        a, b, c = (s.integer(o) for o in s.sources)
        return s.write(a + b + c)
    total = reduce(np.add, (addend(s, o) for o in s.sources), carries_in(s))
    carries = total >> np.uint64(32)
    for number in range(len(s.bound.outputs)):
        s.output(number, carries > number)
    s.write(words(total))


@semantics("IMAD", "UIMAD", modifiers="MOV SHL IADD U32 S32 X WIDE HI")
def imad(s: Step) -> None:
    """Multiplies and adds; WIDE keeps 64 bits, HI the upper half, each with a 64-bit addend."""
    a, b, c = s.sources
    if s.has("WIDE") or s.has("HI"):
        return imad_wide(s)
    if s.has("MOV"):
        return s.write(s.integer(c))
    s.write(s.integer(a) * s.integer(b) + s.integer(c) + words(carries_in(s)))


def imad_wide(s: Step) -> None:
    """The 64-bit forms of IMAD."""
    a, b, c = s.sources
    if s.has("U32"):
        factors = [s.integer(o).astype(np.uint64) for o in (a, b)]
    else:
        factors = [signed(s.integer(o)).astype(np.int64).view(np.uint64) for o in (a, b)]
    multiple, other = factors[0] * factors[1], s.wide(c)
    total = multiple + other
    result = total + carries_in(s)
    s.output(0, (total < multiple) | (result < total))
    if s.has("HI"):
        return s.write(high(result))
    s.write_wide(result)


@semantics("LEA", "ULEA", modifiers="HI X SX32")
def lea(s: Step) -> None:
    """Shifts the first source left and adds the second; HI does so in the upper word."""
    a, b, *rest = s.sources
    amount = s.raw(rest[-1]).astype(np.uint64) & np.uint64(31)
    value = s.integer(a).astype(np.uint64)
    if s.has("HI"):
        if s.has("SX32"):
            value = signed(s.integer(a)).astype(np.int64).view(np.uint64)
        elif len(rest) == 2:
            value = value | s.integer(rest[0]).astype(np.uint64) << np.uint64(32)
        shifted = (value << amount) >> np.uint64(32)
    else:
        shifted = (value << amount) & LOW
    total = shifted + addend(s, b) + carries_in(s)
    s.output(0, total > LOW)
    s.write(words(total))


@semantics("SHF", "USHF", modifiers="L R W HI U32 S32 U64 S64")
def shf(s: Step) -> None:
    """Shifts the pair of third and first source; keeps its low word, with HI its high word."""
    a, amount, c = (s.integer(o) for o in s.sources)
    width = 64 if s.has("U64") or s.has("S64") else 32
    shift = (amount & np.uint32(width - 1)) if s.has("W") else np.minimum(amount, np.uint32(width))
    by = shift.astype(np.uint64)
    is_signed = s.has("S32") or s.has("S64")
    if s.has("L"):
        pair = c.astype(np.uint64) << np.uint64(32) | a
        shifted = pair << by
        return s.write(high(shifted) if s.has("HI") else words(shifted))
    if s.has("HI"):  # the low word plays no part
        a = ZERO
    if s.has("HI") or is_signed:
        upper = signed(c).astype(np.int64) if is_signed else c.astype(np.int64)
        whole = upper << np.int64(32) | a.astype(np.int64)
        unsigned_wide = whole.view(np.uint64) >> by
        shifted = (whole >> np.minimum(by, np.uint64(63)).view(np.int64)).view(np.uint64)
        shifted = shifted if is_signed else unsigned_wide
    else:
        shifted = (c.astype(np.uint64) << np.uint64(32) | a) >> by
    s.write(high(shifted) if s.has("HI") else words(shifted))


def look_up(table: int, a: Any, b: Any, c: Any) -> Any:
    """A bitwise function of three inputs; bit 4a + 2b + c of `table` is its value."""
    if table.bit_count() > 4:
        return ~look_up(~table & 0xFF, a, b, c)
    result = np.zeros((1, 1), np.asarray(a).dtype)
    for index, (x, y, z) in enumerate(product((False, True), repeat=3)):
        if table >> index & 1:
            result = result | ((a if x else ~a) & (b if y else ~b) & (c if z else ~c))
    return result


SIMPLE_TABLES: dict[int, Callable[[Words, Words, Words], Words]] = {
    0xC0: lambda a, b, c: a & b,
    0xFC: lambda a, b, c: a | b,
    0x3C: lambda a, b, c: a ^ b,
}


@semantics("LOP3", "ULOP3", modifiers="LUT")
def lop3(s: Step) -> None:
    """Any bitwise function of three words; the predicate says whether a bit is set."""
    a, b, c = (s.integer(o) for o in s.sources[:3])
    table = s.sources[3].bits
    simple = SIMPLE_TABLES.get(table)
    result = simple(a, b, c) if simple else look_up(table, a, b, c)
    s.output(0, (result != 0) | s.input(0, False))
    s.write(result)


@semantics("PLOP3", "UPLOP3", modifiers="LUT", destination=False)
def plop3(s: Step) -> None:
    """Two functions of the same three predicates, which follow the two results."""
    a, b, c = (s.predicate(o) for o in s.bound.outputs[2:])
    results = [look_up(o.bits & 0xFF, a, b, c) for o in s.sources]
    for operand, result in zip(s.bound.outputs, results, strict=False):
        s.write_predicate(operand, result)


@semantics("P2R")
def p2r(s: Step) -> None:
    """Puts the predicates of a mask into the same bits of a word and keeps its other bits."""
    kept, mask = (s.integer(o) for o in s.sources)
    bits = s.state.predicates[:PT, s.rows].astype(np.uint32)
    places = np.arange(PT, dtype=np.uint32)[:, None, None]
    s.write((kept & ~mask) | (np.bitwise_or.reduce(bits << places) & mask))


@semantics("R2P", destination=False)
def r2p(s: Step) -> None:
    """Takes the predicates of a mask from the same bits of a word."""
    word, mask = s.sources
    value = s.integer(word)
    for index in range(PT):
        if mask.bits >> index & 1:
            holds = (value >> np.uint32(index) & np.uint32(1)).astype(np.bool)
            s.write_predicate(Operand(Kind.PREDICATE, f"P{index}", index), holds)


def compare(s: Step, holds: Lanes) -> None:
    """Write a comparison and its opposite, each combined with the predicate input."""
    combine = next(COMBINATIONS[m] for m in s.instruction.modifiers if m in COMBINATIONS)
    other = s.input(0, True)
    positive, negative = combine(holds, other), combine(~holds, other)
    s.output(0, positive)
    s.output(1, negative)


@semantics(
    "ISETP",
    "UISETP",
    modifiers="LT EQ LE GT NE GE U32 S32 U64 S64 AND OR XOR EX",
    destination=False,
)
def isetp(s: Step) -> None:
    """Compares integers; with EX they are high words, and equal ones leave it to the low words."""
    test = next(COMPARISONS[m] for m in s.instruction.modifiers if m in COMPARISONS)
    if s.has("U64") or s.has("S64"):
        long = [s.wide(o) for o in s.sources]
        return compare(s, test(*(x if s.has("U64") else x.view(np.int64) for x in long)))
    a, b = (s.integer(o) for o in s.sources)
    holds = test(a, b) if s.has("U32") else test(signed(a), signed(b))
    if s.has("EX"):
        holds = np.where(a == b, s.input(1, True), holds)
    compare(s, holds)


@semantics(
    "IMNMX", "UIMNMX", "VIMNMX", "UVIMNMX", "VIMNMX3", modifiers=f"U32 S32 {' '.join(PACKED)}"
)
def imnmx(s: Step) -> None:
    """The smallest of the integers if the predicate holds, else the largest; also of small ones."""
    if is_packed(s):
        small = [parts(s, o) for o in s.sources]
        chosen = np.where(
            s.input(0, True),
            reduce(np.minimum, small).view(np.uint32),
            reduce(np.maximum, small).view(np.uint32),
        )
        return s.write(chosen)
    s.write(reduce(partial(extreme, s), (s.integer(o) for o in s.sources)))


@semantics("VIADDMNMX", modifiers="U32 S32")
def viaddmnmx(s: Step) -> None:
    """The smaller of a sum and a third integer if the predicate holds, else the larger."""
    a, b, c = (s.integer(o) for o in s.sources)
    s.write(extreme(s, a + b, c))


def extreme(s: Step, a: Words, b: Words) -> Words:
    """The smaller integer if the predicate input holds, else the larger."""
    less = a < b if s.has("U32") else signed(a) < signed(b)
    return np.where(less == s.input(0, True), a, b)


@semantics("IABS")
def iabs(s: Step) -> None:
    """Absolute value of an integer."""
    (a,) = s.sources
    s.write(np.abs(signed(s.integer(a))).view(np.uint32))


@semantics("MOV", "UMOV", "MOV32I", modifiers="64")
def mov(s: Step) -> None:
    """Copies a word or two; a second number is a byte mask that compilers leave full."""
    if s.has("64"):
        return s.write_wide(s.wide(s.sources[0]))
    s.write(s.integer(s.sources[0]))


@semantics("SEL", "USEL", modifiers="64")
def sel(s: Step) -> None:
    """Selects by a predicate."""
    if s.has("64"):
        first, second = (s.wide(o) for o in s.sources)
        return s.write_wide(np.where(s.input(0, True), first, second))
    a, b = (s.integer(o) for o in s.sources)
    s.write(np.where(s.input(0, True), a, b))


@semantics("PRMT", "UPRMT")
def prmt(s: Step) -> None:
    """Picks four of the eight bytes of two words; bit 3 of a selector spreads the byte's sign."""
    a, selector, c = (s.integer(o) for o in s.sources)
    pair = c.astype(np.uint64) << np.uint64(32) | a
    result = ZERO
    for position in range(4):
        nibble = selector >> np.uint32(4 * position)
        offset = (nibble & np.uint32(7)).astype(np.uint64) * np.uint64(8)
        byte = words(pair >> offset) & np.uint32(255)
        sign = (byte >> np.uint32(7)) * np.uint32(255)
        byte = np.where(nibble & np.uint32(8), sign, byte)
        result = result | byte << np.uint32(8 * position)
    s.write(result)


@semantics("POPC", "UPOPC")
def popc(s: Step) -> None:
    """Counts the set bits."""
    s.write(np.bitwise_count(s.integer(s.sources[0])).astype(np.uint32))


@semantics("FLO", "UFLO", modifiers="U32 S32 SH")
def flo(s: Step) -> None:
    """Finds the highest set bit, of negative integers the highest clear one; SH counts from 31."""
    a = s.integer(s.sources[0])
    if not s.has("U32"):
        a = np.where(signed(a) < 0, ~a, a)
    for shift in (1, 2, 4, 8, 16):
        a = a | a >> np.uint32(shift)
    position = np.bitwise_count(a).astype(np.uint32) - np.uint32(1)
    found = np.uint32(31) - position if s.has("SH") else position
    s.write(np.where(a == 0, np.uint32(0xFFFF_FFFF), found))


@semantics("BREV", "UBREV")
def brev(s: Step) -> None:
    """Reverses the order of the bits."""
    a = s.integer(s.sources[0])
    for shift, mask in ((1, 0x5555_5555), (2, 0x3333_3333), (4, 0x0F0F_0F0F)):
        by, keep = np.uint32(shift), np.uint32(mask)
        a = (a >> by & keep) | (a & keep) << by
    s.write(a.byteswap())


@semantics("SGXT", "USGXT", modifiers="U32 W")
def sgxt(s: Step) -> None:
    """Extends the lowest bits of a word to all 32, with their sign or with zeros."""
    a, size = (s.integer(o) for o in s.sources)
    size = size & np.uint32(31) if s.has("W") else np.minimum(size, np.uint32(32))
    drop = np.uint32(32) - size
    shifted = a << drop
    if s.has("U32"):
        return s.write(shifted >> drop)
    s.write((signed(shifted) >> np.minimum(drop, np.uint32(31)).view(np.int32)).view(np.uint32))


def fields(value: Words, bits: int, is_signed: bool) -> NDArray[np.int64]:
    """The parts of a word, lowest first, along a new last axis."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    parts = (value[..., None] >> shifts & np.uint32((1 << bits) - 1)).astype(np.int64)
    sign = 1 << (bits - 1)
    return (parts ^ sign) - sign if is_signed else parts


@semantics("IDP", modifiers="4A 2A LO HI S8 U8 S16 U16")
def idp(s: Step) -> None:
    """Adds the products of the bytes of two words, or of two halves and two bytes, to a third."""
    a, b, c = (s.integer(o) for o in s.sources)
    first, second = [m for m in s.instruction.modifiers if m[0] in "SU"]
    octets = fields(b, 8, second[0] == "S")
    if s.has("2A"):
        octets = octets[..., 2:] if s.has("HI") else octets[..., :2]
    products = fields(a, int(first[1:]), first[0] == "S") * octets
    s.write(c + products.sum(axis=-1).astype(np.uint32))


@semantics("VABSDIFF", modifiers="U32 S32")
def vabsdiff(s: Step) -> None:
    """Adds the distance of two integers to a third."""
    a, b, c = (s.integer(o) for o in s.sources)
    if not s.has("U32"):
        bias = np.uint32(1 << 31)
        a, b = a ^ bias, b ^ bias
    s.write(np.maximum(a, b) - np.minimum(a, b) + c)


@semantics("VABSDIFF4", modifiers="U8 S8 ACC")
def vabsdiff4(s: Step) -> None:
    """Distances of the bytes of two words; with ACC their sum and a third word."""
    a, b, c = (s.integer(o) for o in s.sources)
    distances = abs(fields(a, 8, s.has("S8")) - fields(b, 8, s.has("S8")))
    if s.has("ACC"):
        return s.write(c + distances.sum(axis=-1).astype(np.uint32))
    places = np.arange(0, 32, 8, dtype=np.int64)
    s.write((distances << places).sum(axis=-1).astype(np.uint32))
