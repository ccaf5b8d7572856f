"""Conversions between integers and floating point, and rounding to integral values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...isa.program import Operand
from .double import double, write_double
from .floating import ROUNDING, Doubles, odd_sum, rounding, to_float
from .semantics import semantics
from .step import LOW, Step, Wide, Words

INTEGRAL: dict[str, Callable[[Doubles], Doubles]] = {
    "TRUNC": np.trunc,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "RN": np.rint,
}


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
    modifiers=f"F32 F64 U64 S64 U32 S32 U16 S16 U8 S8 {ROUNDING}",
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
    if s.has("F64"):
        return write_double(s, exact)
    s.write_float(to_float(exact, rounding(s)))


def i2f_long(s: Step, value: Wide) -> None:
    """Converts a 64-bit integer."""
    if s.has("F64"):
        return write_double(s, (value.view(np.int64) if s.has("S64") else value).astype(np.float64))
    s.write_float(to_float(odd_double(value, s.has("S64")), rounding(s)))


def odd_double(value: Wide, is_signed: bool) -> Doubles:
    """A 64-bit integer as binary64 rounded to odd, so that it can be rounded once more."""
    negative = is_signed & (value >> np.uint64(63) != 0)
    magnitude = np.where(negative, -value, value)
    high, low = magnitude >> np.uint64(32), magnitude & LOW
    total = odd_sum(high.astype(np.float64) * 2.0**32, low.astype(np.float64))
    return np.where(negative, -total, total)


@semantics("F2I", modifiers="FTZ U64 S64 U32 S32 NTZ F32 F64 " + " ".join(INTEGRAL))
def f2i(s: Step) -> None:
    """Converts binary32 or binary64 to an integer, to the nearest one that exists.

    NaN becomes the integer with only the highest bit set, with NTZ zero.
    """
    (a,) = s.sources
    value = double(s, a) if s.has("F64") else s.floating(a).astype(np.float64)
    bits = 64 if s.has("U64") or s.has("S64") else 32
    unsigned = s.has("U32") or s.has("U64")
    low, top = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = integral(s, value)
    result = np.where(number > 0, number, 0).astype(np.uint64)
    result = np.where(number < 0, np.maximum(number, low).astype(np.int64).view(np.uint64), result)
    result = np.where(number >= top, np.uint64(top), result)
    invalid = 0 if s.has("NTZ") else 1 << (bits - 1)
    result = np.where(np.isnan(value), np.uint64(invalid), result)
    return s.write_wide(result) if bits == 64 else s.write((result & LOW).astype(np.uint32))


@semantics("FRND", modifiers="FTZ " + " ".join(INTEGRAL))
def frnd(s: Step) -> None:
    """Rounds to an integral value that stays binary32."""
    value = s.floating(s.sources[0]).astype(np.float64)
    s.write_float(integral(s, value).astype(np.float32))
