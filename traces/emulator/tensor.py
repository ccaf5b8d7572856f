"""Matrix products of a warp: D = A B + C on fragments that are spread over its lanes.

Layouts are those of mma.sync in the PTX ISA. Sums of floating-point products are not IEEE 754's:
groups of products and the accumulator are aligned to the largest exponent, cut off, and added
without further rounding; the sum becomes binary32 by truncation or binary16 by rounding to nearest
even (Fasi et al. 2021). How many products and bits, and that zeros do not count and overflow is
infinite, is what Microsoft's MMA-Sim has for Turing and Ampere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Operand
from .double import NAN as NAN64
from .double import fused
from .floating import Doubles, to_float
from .half import bfloat_to_double, double_to_half, half_to_double
from .lanes import NAN
from .semantics import semantics
from .step import Step, Words

FRACTION_BITS = 24
WITHOUT = -10_000  # exponent of a zero, which no sum is aligned to
OCTETS = 8  # rows of A and columns of B that one register holds
QUAD = 4  # lanes that share a row of A, or a column of B

_SHAPE = re.compile(r"(8|16)8(\d+)")


@dataclass(frozen=True, slots=True)
class Type:
    """What an element of A or B is."""

    bits: int
    decode: Callable[[Words], NDArray[Any]]
    exponent: int = 0  # smallest one of a normal number
    together: int = 8  # products that one sum takes


def tf32(bits: Words) -> Doubles:
    """The upper 19 bits of a binary32 number; the others are ignored."""
    return (bits & np.uint32(0xFFFF_E000)).view(np.float32).astype(np.float64)


def signed_bits(width: int) -> Callable[[Words], Doubles]:
    """Two's complement integers of some bits."""
    sign = 1 << (width - 1)
    return lambda bits: ((bits.astype(np.int64) ^ sign) - sign).astype(np.float64)


def unsigned(bits: Words) -> Doubles:
    return bits.astype(np.float64)


FLOATS = {
    "F16": Type(16, half_to_double, -14),
    "BF16": Type(16, bfloat_to_double, -126),
    "TF32": Type(32, tf32, -126, together=4),
}
INTEGERS = {
    "S8": Type(8, signed_bits(8)),
    "U8": Type(8, unsigned),
    "S4": Type(4, signed_bits(4)),
    "U4": Type(4, unsigned),
}
BIT = Type(1, unsigned)


def shape(s: Step) -> tuple[int, int]:
    """Rows of A and the length of its rows; B always has eight columns."""
    match = next(m for m in map(_SHAPE.fullmatch, s.instruction.modifiers) if m)
    return int(match[1]), int(match[2])


def registers(s: Step, operand: Operand, count: int) -> Words:
    """Consecutive registers, as (count, warps, 8, 4)."""
    rows = [np.broadcast_to(s.raw(operand, i), s.executed.shape) for i in range(count)]
    return np.stack(rows).reshape(count, len(s.warps), OCTETS, QUAD)


def elements(word: Words, kind: Type) -> NDArray[Any]:
    """The numbers in each word, lowest first, along a new last axis."""
    shifts = np.arange(0, 32, kind.bits, dtype=np.uint32)
    mask = np.uint32((1 << kind.bits) - 1)
    return kind.decode(word[..., None] >> shifts & mask)


def factor(s: Step, operand: Operand, rows: int, k: int, kind: Type) -> NDArray[Any]:
    """A as (warps, rows, k), or the transposed B as (warps, 8, k)."""
    parts, octets = k * kind.bits // (32 * QUAD), rows // OCTETS
    words = registers(s, operand, parts * octets).reshape(parts, octets, -1, OCTETS, QUAD)
    order = elements(words, kind).transpose(2, 1, 3, 0, 4, 5)
    return order.reshape(len(s.warps), rows, k)


def accumulator(s: Step, operand: Operand, rows: int) -> Words:
    """Words of C as (warps, rows, 8)."""
    words = registers(s, operand, rows // OCTETS * 2)
    words = words.reshape(rows // OCTETS, 2, -1, OCTETS, QUAD).transpose(2, 0, 3, 4, 1)
    return words.reshape(len(s.warps), rows, OCTETS)


def write_matrix(s: Step, value: Words) -> None:
    """Write the words of D, given as (warps, rows, 8)."""
    octets = value.shape[1] // OCTETS
    parts = value.reshape(-1, octets, OCTETS, QUAD, 2).transpose(1, 4, 0, 2, 3)
    s.write(*parts.reshape(2 * octets, len(s.warps), 32))


@semantics("HMMA", modifiers="1688 16816 1684 F32 F16 BF16 TF32", predicates=False)
def hmma(s: Step) -> None:
    """Multiplies matrices of floating-point numbers."""
    rows, k = shape(s)
    kind = next((FLOATS[m] for m in s.instruction.modifiers[2:] if m in FLOATS), FLOATS["F16"])
    a_operand, b_operand, c_operand = s.sources[:3]
    a = factor(s, a_operand, rows, k, kind)
    b = factor(s, b_operand, OCTETS, k, kind)
    if s.has("F32"):
        c = accumulator(s, c_operand, rows).view(np.float32).astype(np.float64)
        c = product_sum(a, b, c, kind, -126, truncated)
        bits = c.astype(np.float32).view(np.uint32)
        return write_matrix(s, np.where(np.isnan(c), NAN, bits))
    c = factor(s, c_operand, rows, OCTETS, FLOATS["F16"])
    bits = double_to_half(product_sum(a, b, c, kind, -14, nearest_half))
    low, high = bits[..., 0::2], bits[..., 1::2]
    words = (low | high << np.uint32(16)).reshape(-1, rows // OCTETS, 32)
    s.write(*words.transpose(1, 0, 2))


def truncated(value: Doubles) -> Doubles:
    """binary32 by truncation; numbers beyond its range are infinite."""
    beyond = abs(value) >= 2.0**128
    return np.where(beyond, np.copysign(np.inf, value), to_float(value, "RZ"))


def nearest_half(value: Doubles) -> Doubles:
    """binary16 by rounding to nearest even."""
    return value.astype(np.float16).astype(np.float64)


def product_sum(
    a: Doubles,
    b: Doubles,
    c: Doubles,
    kind: Type,
    smallest: int,
    rounded: Callable[[Doubles], Doubles],
) -> Doubles:
    """A B + C, in as many sums as the hardware makes; `smallest` is an exponent of C's format."""
    for first in range(0, a.shape[2], kind.together):
        x = a[:, :, None, first : first + kind.together]
        y = b[:, None, :, first : first + kind.together]
        products = x * y
        terms = np.concatenate((products, c[..., None]), axis=3)
        exponents = exponent(x, kind.exponent) + exponent(y, kind.exponent)
        exponents = np.concatenate((exponents, exponent(c, smallest)[..., None]), axis=3)
        top = np.where(terms == 0, WITHOUT, exponents).max(axis=3)
        aligned = np.trunc(np.ldexp(terms, (FRACTION_BITS - top)[..., None]))
        total = np.ldexp(aligned.sum(axis=3) + 0.0, top - FRACTION_BITS)
        plain = terms.sum(axis=3)
        c = np.where(np.isfinite(plain), rounded(total), plain)
    return c


def exponent(value: Doubles, smallest: int) -> NDArray[np.int64]:
    """Exponents of numbers of a format with denormals."""
    _, exponents = np.frexp(value)
    return np.maximum(exponents.astype(np.int64) - 1, smallest)


@semantics(
    "IMMA",
    modifiers="8816 16816 16832 8832 16864 SAT " + " ".join(INTEGERS),
    suffixes="ROW COL",
    predicates=False,
)
def imma(s: Step) -> None:
    """Multiplies matrices of small integers; sums wrap around, with SAT they are clamped."""
    rows, k = shape(s)
    kinds = [INTEGERS[m] for m in s.instruction.modifiers if m in INTEGERS]
    a = factor(s, s.sources[0], rows, k, kinds[0])
    b = factor(s, s.sources[1], OCTETS, k, kinds[-1])
    c = accumulator(s, s.sources[2], rows).view(np.int32)
    total = (a @ b.swapaxes(1, 2)).astype(np.int64) + c
    if s.has("SAT"):
        total = np.clip(total, -(2**31), 2**31 - 1)
    write_matrix(s, total.astype(np.uint32))


@semantics(
    "BMMA",
    modifiers="88128 168128 168256 XOR AND POPC",
    suffixes="ROW COL",
    predicates=False,
)
def bmma(s: Step) -> None:
    """Counts the bits that differ (XOR) or are both set (AND) in rows of A and columns of B."""
    rows, k = shape(s)
    a, b = factor(s, s.sources[0], rows, k, BIT), factor(s, s.sources[1], OCTETS, k, BIT)
    count = a @ b.swapaxes(1, 2)
    if s.has("XOR"):
        count = a.sum(axis=2)[:, :, None] + b.sum(axis=2)[:, None, :] - 2 * count
    c = accumulator(s, s.sources[2], rows)
    write_matrix(s, count.astype(np.uint32) + c)


@semantics("DMMA", modifiers="884", predicates=False)
def dmma(s: Step) -> None:
    """Multiplies matrices of binary64: a fused multiply-add for each product, in order."""
    a, b = (wide(registers(s, operand, 2))[0] for operand in s.sources[:2])
    c = wide(registers(s, s.sources[2], 4)).transpose(1, 2, 3, 0).reshape(-1, OCTETS, OCTETS)
    for k in range(QUAD):
        c = fused(a[:, :, None, k], b[:, None, :, k], c, "RN")
    bits = np.where(np.isnan(c), NAN64, c.view(np.uint64))
    s.write(*bits.view(np.uint32).reshape(-1, 32, 4).transpose(2, 0, 1))


def wide(parts: Words) -> Doubles:
    """binary64 numbers from low and high words that follow each other."""
    low, upper = parts[0::2].astype(np.uint64), parts[1::2].astype(np.uint64)
    return (upper << np.uint64(32) | low).view(np.float64)


@semantics("MOVM", modifiers="16 MT88", predicates=False)
def movm(s: Step) -> None:
    """Transposes an 8 x 8 matrix of 16-bit elements."""
    words = registers(s, s.sources[0], 1)[0]
    s.write(transposed(words))


def transposed(words: Words) -> Words:
    """Words of 8 x 8 matrices of 16-bit elements, (warps, 8, 4), after an exchange of the axes."""
    octets = np.ascontiguousarray(words).view(np.uint16).reshape(-1, OCTETS, OCTETS)
    turned = np.ascontiguousarray(octets.swapaxes(1, 2))
    return turned.view(np.uint32).reshape(-1, OCTETS * QUAD)
