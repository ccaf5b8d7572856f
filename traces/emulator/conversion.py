"""Conversions between number formats, and rounding to integral values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...isa.program import Operand
from .double import double, write_double
from .floating import ROUNDING, Doubles, odd_sum, rounding, to_float
from .half import half, write_half
from .semantics import semantics
from .step import LOW, Step, Wide, Words

INTEGRAL: dict[str, Callable[[Doubles], Doubles]] = {
    "TRUNC": np.trunc,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "RN": np.rint,
}
UPPER = "H1 H1_H1 H0_H0"  # suffixes of a binary16 operand


def integral(s: Step, value: Doubles) -> Doubles:
    """Round to an integer as the modifiers say, by default to nearest even."""
    return INTEGRAL[next((m for m in s.instruction.modifiers if m in INTEGRAL), "RN")](value)


def narrow(s: Step, operand: Operand) -> Words:
    """The part of a word that suffixes such as B1 or H1 name."""
    value = s.integer(operand)
    for suffix in operand.suffixes:
        value = value >> np.uint32((8 if suffix[0] == "B" else 16) * int(suffix[1]))
    return value


@semantics(
    "I2F",
    "I2FP",
    "UI2F",
    "UI2FP",
    modifiers=f"F16 F32 F64 U64 S64 U32 S32 U16 S16 U8 S8 {ROUNDING}",
    suffixes="B0 B1 B2 B3 H0 H1",
)
def i2f(s: Step) -> None:
    """Converts an integer to binary32 or binary64."""
    if s.has("U64") or s.has("S64"):
        return i2f_long(s, s.wide(s.sources[0]))
    value = narrow(s, s.sources[0])
    if s.has("U8") or s.has("U16"):
        value = value & np.uint32(0xFF if s.has("U8") else 0xFFFF)
    elif s.has("S8"):
        value = value.astype(np.int8).astype(np.int32).view(np.uint32)
    elif s.has("S16"):
        value = value.astype(np.int16).astype(np.int32).view(np.uint32)
    unsigned = s.has("U32") or s.has("U16") or s.has("U8")
    number = value if unsigned else value.view(np.int32)
    exact = number.astype(np.float64)
    write_rounded(s, exact)


def i2f_long(s: Step, value: Wide) -> None:
    """Converts a 64-bit integer."""
    if s.has("F64"):
        return write_double(s, (value.view(np.int64) if s.has("S64") else value).astype(np.float64))
    write_rounded(s, odd_double(value, s.has("S64")))


def write_rounded(s: Step, value: Doubles) -> None:
    """Round to the floating-point type that the modifiers name, binary32 by default."""
    if s.has("F64"):
        return write_double(s, value)
    if s.has("F16"):
        return write_half(s, value, rounding(s))
    s.write_float(to_float(value, rounding(s)))


def odd_double(value: Wide, is_signed: bool) -> Doubles:
    """A 64-bit integer as binary64 rounded to odd, so that it can be rounded once more."""
    negative = is_signed & (value >> np.uint64(63) != 0)
    magnitude = np.where(negative, -value, value)
    high, low = magnitude >> np.uint64(32), magnitude & LOW
    total = odd_sum(high.astype(np.float64) * 2.0**32, low.astype(np.float64))
    return np.where(negative, -total, total)


@semantics("F2F", modifiers=f"F16 F32 F64 FTZ {ROUNDING}", suffixes=UPPER)
def f2f(s: Step) -> None:
    """Converts between binary16, binary32 and binary64; the first type is that of the result."""
    result, source = [m for m in s.instruction.modifiers if m in ("F16", "F32", "F64")]
    value = number_of(s, source)
    if result == "F64":
        return write_double(s, value)
    if result == "F16":
        return write_half(s, value, rounding(s))
    s.write_float(to_float(value, rounding(s)))


def number_of(s: Step, kind: str) -> Doubles:
    """The source of a type, exactly."""
    (operand,) = s.sources
    if kind == "F64":
        return double(s, operand)
    return half(s, operand) if kind == "F16" else s.floating(operand).astype(np.float64)


def source_type(s: Step) -> str:
    """The floating-point type that the modifiers name, binary32 by default."""
    return next((m for m in s.instruction.modifiers if m in ("F16", "F64")), "F32")


INTEGER_TYPES = {f"{sign}{bits}": (sign, bits) for sign in "US" for bits in (64, 32, 16, 8)}


@semantics(
    "F2I",
    modifiers=f"FTZ NTZ F16 F32 F64 {' '.join(INTEGER_TYPES)} {' '.join(INTEGRAL)}",
    suffixes=UPPER,
)
def f2i(s: Step) -> None:
    """Converts to an integer, to the nearest one that exists.

    NaN becomes the integer with only the highest bit set, with NTZ zero.
    """
    value = number_of(s, source_type(s))
    name = next((m for m in s.instruction.modifiers if m in INTEGER_TYPES), "S32")
    sign, bits = INTEGER_TYPES[name]
    low, top = (0, 2**bits - 1) if sign == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = integral(s, value)
    result = np.where(number > 0, number, 0).astype(np.uint64)
    result = np.where(number < 0, np.maximum(number, low).astype(np.int64).view(np.uint64), result)
    result = np.where(number >= top, np.uint64(top), result)
    invalid = 0 if s.has("NTZ") else 1 << (bits - 1)
    result = np.where(np.isnan(value), np.uint64(invalid), result)
    return s.write_wide(result) if bits == 64 else s.write((result & LOW).astype(np.uint32))


@semantics("FRND", modifiers="FTZ F16 F32 F64 " + " ".join(INTEGRAL), suffixes=UPPER)
def frnd(s: Step) -> None:
    """Rounds to an integral value of the same type."""
    kind = source_type(s)
    value = integral(s, number_of(s, kind))
    if kind == "F64":
        return write_double(s, value)
    if kind == "F16":
        return write_half(s, value)
    s.write_float(value.astype(np.float32))
