"""Binary64 arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ...isa.program import Kind, Operand
from .floating import FLOAT_TESTS, ROUNDING, Doubles, float_test, odd_sum, rounding, two_sum
from .integer import compare
from .semantics import semantics
from .step import Step

SIGN = np.uint64(1 << 63)
NAN = np.uint64(0xFFF8_0000_0000_0000)  # what arithmetic returns for any NaN
ONE, MINUS_ZERO = np.full((1, 1), 1.0), np.full((1, 1), -0.0)
SPLITTER = 2.0**27 + 1
SAFE = 300  # exponents within which the error terms below neither overflow nor get lost


def double(s: Step, operand: Operand) -> Doubles:
    """A binary64 operand; an immediate is its upper half."""
    if operand.kind is Kind.IMMEDIATE:
        return (s.raw(operand).astype(np.uint64) << np.uint64(32)).view(np.float64)
    bits = s.raw(operand).astype(np.uint64) | s.raw(operand, 1).astype(np.uint64) << np.uint64(32)
    bits = bits & ~SIGN if operand.absolute else bits
    return (bits ^ SIGN if operand.negated else bits).view(np.float64)


def write_double(s: Step, value: Doubles) -> None:
    """Write a binary64 result; NaNs become canonical."""
    s.write_wide(np.where(np.isnan(value), NAN, value.view(np.uint64)))


@semantics("DADD", modifiers=ROUNDING)
def dadd(s: Step) -> None:
    """Adds."""
    a, b = (double(s, o) for o in s.sources)
    write_double(s, a + b if rounding(s) == "RN" else fused(a, ONE, b, rounding(s)))


@semantics("DMUL", modifiers=ROUNDING)
def dmul(s: Step) -> None:
    """Multiplies."""
    a, b = (double(s, o) for o in s.sources)
    write_double(s, a * b if rounding(s) == "RN" else fused(a, b, MINUS_ZERO, rounding(s)))


@semantics("DFMA", modifiers=ROUNDING)
def dfma(s: Step) -> None:
    """Multiplies and adds with one rounding."""
    a, b, c = (double(s, o) for o in s.sources)
    write_double(s, fused(a, b, c, rounding(s)))


def two_product(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    """a b and its rounding error (Dekker)."""
    product = a * b
    parts = []
    for x in (a, b):
        high = SPLITTER * x - (SPLITTER * x - x)
        parts.append((high, x - high))
    (a_high, a_low), (b_high, b_low) = parts
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def fused(a: Doubles, b: Doubles, c: Doubles, mode: str) -> Doubles:
    """a b + c with one rounding.

    The exact result is a sum of three numbers of which the smaller two are added with rounding
    to odd (Boldo and Melquiond 2008). Extreme exponents go through fractions, lane by lane.
    """
    a, b, c = np.broadcast_arrays(a, b, c)
    plain = a * b + c
    high, low = two_product(a, b)
    upper, lower = two_sum(c, low)
    total, rest = two_sum(high, upper)
    result, error = two_sum(total, odd_sum(rest, lower))
    numbers = np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    result, error = np.where(numbers, result, plain), np.where(numbers, error, 0)
    extreme = np.any([abs(np.frexp(x)[1]) > SAFE for x in (a, b, c)], axis=0)
    for at in map(tuple, np.argwhere(extreme & numbers)):
        result[at], error[at] = fused_exactly(float(a[at]), float(b[at]), float(c[at]))
    return directed(result, error, mode)


def fused_exactly(a: float, b: float, c: float) -> tuple[float, int]:
    """a b + c of finite numbers, and the sign of what rounding to nearest cut off."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        nearest = float(exact)
    except OverflowError:
        return (math.inf, -1) if exact > 0 else (-math.inf, 1)
    return nearest, (exact > nearest) - (exact < nearest)


def directed(nearest: Doubles, error: Doubles, mode: str) -> Doubles:
    """Round down (RM), up (RP) or to zero (RZ) what is off its nearest number by `error`."""
    up = mode == "RP" or ((mode == "RZ") & (nearest < 0))
    down = mode == "RM" or ((mode == "RZ") & (nearest > 0))
    above, below = np.nextafter(nearest, np.inf), np.nextafter(nearest, -np.inf)
    return np.where(up & (error > 0), above, np.where(down & (error < 0), below, nearest))


@semantics("DSETP", modifiers=f"{FLOAT_TESTS} AND OR XOR MIN MAX", destination=False)
def dsetp(s: Step) -> None:
    """Compares; names that end in U also hold for unordered numbers."""
    a, b = (double(s, o) for o in s.sources)
    if s.has("MIN") or s.has("MAX"):
        return select_extreme(s, a, b)
    compare(s, float_test(s.instruction.modifiers, a, b))


def select_extreme(s: Step, a: Doubles, b: Doubles) -> None:
    """Whether the first number is the smaller or larger one, and whether both are NaNs.

    A NaN loses and -0 is below +0. Compilers quieten the second source where both are NaNs.
    """
    zero = (a == b) & (np.signbit(a) == s.has("MIN"))
    first = (a < b if s.has("MIN") else a > b) | zero | np.isnan(b)
    s.output(0, first & ~np.isnan(a) & s.input(0, True))
    s.output(1, np.isnan(a) & np.isnan(b))
