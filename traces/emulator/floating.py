"""Binary32 arithmetic, each operation rounded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .integer import COMPARISONS, compare
from .lanes import multiply_add, whole
from .semantics import semantics
from .step import SIGN, Floats, Lanes, Step

Doubles = NDArray[np.float64]

ROUNDING = "RN RM RP RZ"
FLOAT_TESTS = "LT EQ LE GT NE GE LTU EQU LEU GTU NEU GEU NUM NAN"


def two_sum(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    """a + b and its rounding error (Knuth), which is NaN for infinities."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def odd_sum(a: Doubles, b: Doubles) -> Doubles:
    """a + b, rounded to odd: if inexact, the last bit is set.

    A later rounding to at most 51 bits then gives what rounding the exact sum would have given
    (Boldo and Melquiond 2008).
    """
    total, error = two_sum(a, b)
    bits = total.view(np.int64)
    inexact = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    away = (error > 0) == (total > 0)
    return (bits + np.where(inexact, np.where(away, 1, -1), 0)).view(np.float64)


def to_float(value: Doubles, mode: str = "RN") -> Floats:
    """Round to binary32: to nearest even, down (RM), up (RP) or towards zero (RZ)."""
    nearest = value.astype(np.float32)
    if mode == "RN":
        return nearest
    below = np.nextafter(nearest, np.float32(-np.inf))
    above = np.nextafter(nearest, np.float32(np.inf))
    floor = np.where(nearest.astype(np.float64) > value, below, nearest)
    ceiling = np.where(nearest.astype(np.float64) < value, above, nearest)
    match mode:
        case "RM":
            return floor
        case "RP":
            return ceiling
        case _:
            return np.where(value > 0, floor, ceiling)


def fused(a: Floats, b: Floats, c: Floats, mode: str = "RN") -> Floats:
    """a b + c with one rounding; the product of two binary32 is exact in binary64."""
    if mode == "RN":
        shape = np.broadcast_shapes(a.shape, b.shape, c.shape)
        return np.asarray(multiply_add(*(whole(x, shape) for x in (a, b, c))))
    return to_float(odd_sum(a.astype(np.float64) * b, c.astype(np.float64)), mode)


def rounding(s: Step) -> str:
    """Rounding mode of an instruction."""
    return next((m for m in s.instruction.modifiers if m in ROUNDING.split()), "RN")


@semantics("FADD", "UFADD", modifiers=f"FTZ SAT {ROUNDING}")
def fadd(s: Step) -> None:
    """Adds."""
    a, b = (s.floating(o) for o in s.sources)
    if rounding(s) == "RN":
        return s.write_float(a + b)
    s.write_float(to_float(odd_sum(a.astype(np.float64), b.astype(np.float64)), rounding(s)))


SCALES = {"D2": 0.5, "D4": 0.25, "D8": 0.125, "M2": 2.0, "M4": 4.0, "M8": 8.0}


@semantics("FMUL", "UFMUL", modifiers=f"FTZ SAT {ROUNDING} {' '.join(SCALES)}")
def fmul(s: Step) -> None:
    """Multiplies; D2 to M8 scale by a power of two before the rounding."""
    a, b = (s.floating(o).astype(np.float64) for o in s.sources)
    scale = next((SCALES[m] for m in s.instruction.modifiers if m in SCALES), 1.0)
    s.write_float(to_float(a * b * scale, rounding(s)))


@semantics("FFMA", "UFFMA", modifiers=f"FTZ SAT {ROUNDING}")
def ffma(s: Step) -> None:
    """Multiplies and adds with one rounding."""
    a, b, c = (s.floating(o) for o in s.sources)
    s.write_float(fused(a, b, c, rounding(s)))


@semantics("FMNMX", "UFMNMX", modifiers="FTZ NAN")
def fmnmx(s: Step) -> None:
    """The smaller number if the predicate holds, else the larger; a NaN loses, with NAN it wins."""
    a, b = (s.floating(o) for o in s.sources)
    lower = ordinal(a) < ordinal(b)  # -0 is below +0
    result = np.where(lower == s.input(0, True), a, b)
    if s.has("NAN"):
        return s.write_float(np.where(np.isnan(a) | np.isnan(b), np.float32(np.nan), result))
    s.write_float(np.where(np.isnan(a), b, np.where(np.isnan(b), a, result)))


def ordinal(value: Floats) -> NDArray[np.int64]:
    """Integers in the order of the numbers."""
    bits = value.view(np.uint32)
    magnitude = (bits & ~SIGN).astype(np.int64)
    return np.where(bits & SIGN, -1 - magnitude, magnitude)


@semantics("FSEL", "UFSEL", modifiers="FTZ")
def fsel(s: Step) -> None:
    """Selects by a predicate; signs and bars are bit operations and NaNs pass."""
    a, b = (s.floating(o).view(np.uint32) for o in s.sources)
    s.write(np.where(s.input(0, True), a, b))


@semantics(
    "FSETP",
    "UFSETP",
    modifiers=f"{FLOAT_TESTS} AND OR XOR FTZ",
    destination=False,
)
def fsetp(s: Step) -> None:
    """Compares; names that end in U also hold for unordered numbers."""
    a, b = (s.floating(o) for o in s.sources)
    compare(s, float_test(s.instruction.modifiers, a, b))


def float_test(modifiers: tuple[str, ...], a: Floats | Doubles, b: Floats | Doubles) -> Lanes:
    """The comparison that the modifiers name."""
    unordered = np.isnan(a) | np.isnan(b)
    name = next(m for m in modifiers if m in ("NUM", "NAN") or m.removesuffix("U") in COMPARISONS)
    match name:
        case "NUM":
            return ~unordered
        case "NAN":
            return unordered
        case _ if name.endswith("U"):
            return unordered | COMPARISONS[name.removesuffix("U")](a, b)
        case _:
            return ~unordered & COMPARISONS[name](a, b)
