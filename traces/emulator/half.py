"""Packed arithmetic on two binary16 or bfloat16 numbers in a word, each rounded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...isa.program import Kind, Operand
from .floating import FLOAT_TESTS, Doubles, float_test, odd_sum, ordinal, to_float
from .integer import COMBINATIONS
from .semantics import semantics
from .step import Lanes, Step, Words

Pair = tuple[Doubles, Doubles]  # the number in the low half, the one in the high half

SELECT = "H0_H0 H1_H1"  # both numbers of an operand from one half of its register
BFLOAT = "BF16 BF16_V2"
NAN = np.uint32(0x7FFF)  # what arithmetic returns for any NaN, in both formats
SIGN = np.uint32(0x8000)
LOW = np.uint32(0xFFFF)


def half_to_double(bits: Words) -> Doubles:
    """binary16 numbers, exactly."""
    return bits.astype(np.uint16).view(np.float16).astype(np.float64)


def double_to_half(value: Doubles, mode: str = "RN") -> Words:
    """Round to binary16: to nearest even or towards zero (RZ)."""
    nearest = value.astype(np.float16)
    if mode == "RZ":
        beyond = abs(nearest.astype(np.float64)) > abs(value)
        nearest = np.where(beyond, np.nextafter(nearest, np.float16(0)), nearest)
    return np.where(np.isnan(value), NAN, nearest.view(np.uint16).astype(np.uint32))


def bfloat_to_double(bits: Words) -> Doubles:
    """bfloat16 numbers, exactly: they are the upper halves of binary32 numbers."""
    return (bits << np.uint32(16)).view(np.float32).astype(np.float64)


def double_to_bfloat(value: Doubles, mode: str = "RN") -> Words:
    """Round to bfloat16: to nearest even or towards zero (RZ)."""
    cut = to_float(value, "RZ")
    bits = cut.view(np.uint32)
    if mode == "RN":  # binary32, rounded to odd, has bits enough for a second rounding
        bits = bits | (cut.astype(np.float64) != value)
        bits = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return np.where(np.isnan(value), NAN, bits >> np.uint32(16))


@dataclass(frozen=True, slots=True)
class Format:
    """A 16-bit floating-point format."""

    decode: Callable[[Words], Doubles]
    encode: Callable[..., Words]
    exponent: np.uint32  # mask of the exponent field
    one: np.uint32

    def flush(self, bits: Words) -> Words:
        """Denormals become zeros of the same sign."""
        return np.where(bits & self.exponent, bits, bits & SIGN)


BINARY16 = Format(half_to_double, double_to_half, np.uint32(0x7C00), np.uint32(0x3C00))
BFLOAT16 = Format(bfloat_to_double, double_to_bfloat, np.uint32(0x7F80), np.uint32(0x3F80))


def format_of(s: Step) -> Format:
    """The format that the modifiers name."""
    return BFLOAT16 if s.has("BF16") or s.has("BF16_V2") else BINARY16


def half(s: Step, operand: Operand) -> Doubles:
    """One binary16 operand: the low half unless a suffix names the high one."""
    word = s.raw(operand)
    upper = not {"H1", "H1_H1"}.isdisjoint(operand.suffixes)
    bits = word >> np.uint32(16) if upper else word & LOW
    return half_to_double(signs(operand, bits))


def write_half(s: Step, value: Doubles, mode: str = "RN") -> None:
    """Write a binary16 result into the low half; the high one becomes zero."""
    s.write(double_to_half(value, mode))


def signs(operand: Operand, bits: Words) -> Words:
    """The bar and the minus of an operand, on 16 bits."""
    bits = bits & ~SIGN if operand.absolute else bits
    return bits ^ SIGN if operand.negated else bits


def pairs(s: Step) -> list[Pair]:
    """The sources as pairs of numbers; two immediates are one operand, its upper half first."""
    sources, result = list(s.sources), []
    while sources:
        operand = sources.pop(0)
        if operand.kind is Kind.IMMEDIATE:
            lower = sources.pop(0) if sources and sources[0].kind is Kind.IMMEDIATE else operand
            result.append(numbers(s, s.raw(lower), s.raw(operand)))
        elif "F32" in operand.suffixes:
            value = s.floating(operand).astype(np.float64)
            result.append((value, value))
        else:
            result.append(numbers(s, *(signs(operand, bits) for bits in split(s, operand))))
    return result


def split(s: Step, operand: Operand) -> tuple[Words, Words]:
    """Low and high half of a word, as the suffix selects them."""
    word = s.raw(operand)
    low, high = word & LOW, word >> np.uint32(16)
    if "H0_H0" in operand.suffixes:
        return low, low
    return (high, high) if "H1_H1" in operand.suffixes else (low, high)


def numbers(s: Step, low: Words, high: Words) -> Pair:
    """Two encoded numbers; FTZ flushes denormals."""
    form = format_of(s)
    first, second = ((form.flush(b) if s.has("FTZ") else b) for b in (low, high))
    return form.decode(first), form.decode(second)


def write_pair(s: Step, pair: Pair, mode: str = "RN") -> None:
    """Round and write a pair: SAT clamps to [0, 1], RELU to what is positive, FTZ flushes."""
    form = format_of(s)
    bits = []
    for value in pair:
        if s.has("SAT"):
            value = np.where(np.isnan(value), 0.0, np.clip(value, 0, 1)) + 0.0
        elif s.has("RELU"):
            value = np.where(value <= 0, 0.0, value)
        encoded = form.encode(value, mode)
        bits.append(form.flush(encoded) if s.has("FTZ") else encoded)
    s.write(bits[0] | bits[1] << np.uint32(16))


def each(function: Callable[..., Any], *operands: Pair) -> tuple[Any, Any]:
    """A function of both halves of some operands."""
    low, high = (function(*values) for values in zip(*operands, strict=True))
    return low, high


ARITHMETIC = f"FTZ SAT {BFLOAT}"


@semantics("HADD2", "HADD2_32I", modifiers=f"{ARITHMETIC} F32", suffixes=f"{SELECT} F32")
def hadd2(s: Step) -> None:
    """Adds; with F32 the low halves only, to a binary32."""
    a, b = pairs(s)
    if s.has("F32"):
        return s.write_float((a[0] + b[0]).astype(np.float32))
    write_pair(s, each(odd_sum, a, b))


@semantics("HMUL2", "HMUL2_32I", modifiers=ARITHMETIC, suffixes=SELECT)
def hmul2(s: Step) -> None:
    """Multiplies."""
    a, b = pairs(s)
    write_pair(s, each(np.multiply, a, b))


@semantics("HFMA2", "HFMA2_32I", modifiers=f"{ARITHMETIC} RELU MMA", suffixes=SELECT)
def hfma2(s: Step) -> None:
    """Multiplies and adds with one rounding; MMA names the pipe."""
    a, b, c = pairs(s)
    write_pair(s, each(lambda x, y, z: odd_sum(x * y, z), a, b, c))


@semantics("HMNMX2", modifiers=f"FTZ NAN {BFLOAT}", suffixes=SELECT)
def hmnmx2(s: Step) -> None:
    """The smaller number if the predicate holds, else the larger; a NaN loses, with NAN it wins."""
    smaller = s.input(0, True)

    def choose(x: Doubles, y: Doubles) -> Doubles:
        lower = ordinal(x.astype(np.float32)) < ordinal(y.astype(np.float32))
        result = np.where(lower == smaller, x, y)
        if s.has("NAN"):
            return np.where(np.isnan(x) | np.isnan(y), np.nan, result)
        return np.where(np.isnan(x), y, np.where(np.isnan(y), x, result))

    a, b = pairs(s)
    write_pair(s, each(choose, a, b))


def tests(s: Step) -> tuple[Lanes, Lanes]:
    """A comparison of both halves, each combined with the predicate input."""
    combine = next(COMBINATIONS[m] for m in s.instruction.modifiers if m in COMBINATIONS)
    other = s.input(0, True)
    a, b = pairs(s)
    return each(lambda x, y: combine(float_test(s.instruction.modifiers, x, y), other), a, b)


@semantics("HSET2", modifiers=f"{FLOAT_TESTS} AND OR XOR FTZ BF {BFLOAT}", suffixes=SELECT)
def hset2(s: Step) -> None:
    """Compares: a half becomes all ones, with BF the number one, where the test holds."""
    true = format_of(s).one if s.has("BF") else LOW
    low, high = (np.where(holds, true, np.uint32(0)) for holds in tests(s))
    s.write(low | high << np.uint32(16))


@semantics(
    "HSETP2",
    modifiers=f"{FLOAT_TESTS} AND OR XOR FTZ {BFLOAT}",
    suffixes=SELECT,
    destination=False,
)
def hsetp2(s: Step) -> None:
    """Compares the low halves into the first predicate, the high ones into the second."""
    for number, holds in enumerate(tests(s)):
        s.output(number, holds)


@semantics("F2FP", modifiers=f"PACK_AB RZ RN RELU F16 F32 {BFLOAT}")
def f2fp(s: Step) -> None:
    """Converts two binary32 numbers to a pair, the first one to its high half."""
    high, low = (s.floating(o).astype(np.float64) for o in s.sources)
    write_pair(s, (low, high), "RZ" if s.has("RZ") else "RN")
