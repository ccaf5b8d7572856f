"""Packed half-precision arithmetic: two numbers in a word, each result rounded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Kind, Operand
from .floating import Doubles, odd_sum
from .semantics import semantics
from .step import Step, Words

Halves = NDArray[np.float16]

SELECTIONS = "H0_H0 H1_H1 H1_H0"
NAN = np.uint16(0x7FFF)  # what arithmetic returns for any NaN
LOW = np.uint32(0xFFFF)
SIGNS = np.uint32(0x8000_8000)


def halves(word: Words) -> tuple[Halves, Halves]:
    """The low and the high half of a word."""
    low, high = word & LOW, word >> np.uint32(16)
    return low.astype(np.uint16).view(np.float16), high.astype(np.uint16).view(np.float16)


def packed(low: Halves, high: Halves) -> Words:
    """A word of two results; NaNs become canonical."""
    bits = [np.where(np.isnan(h), NAN, h.view(np.uint16)).astype(np.uint32) for h in (low, high)]
    return bits[0] | bits[1] << np.uint32(16)


def operand(s: Step, source: Operand) -> tuple[Doubles, Doubles]:
    """Both halves of an operand, exactly, after selection, bar and sign."""
    word = s.raw(source)
    if source.kind is not Kind.IMMEDIATE:
        word = word & ~SIGNS if source.absolute else word
        word = word ^ SIGNS if source.negated else word
    low, high = (half.astype(np.float64) for half in halves(word))
    if "H0_H0" in source.suffixes:
        return low, low
    return (high, high) if "H1_H1" in source.suffixes else (low, high)


def operands(s: Step) -> list[tuple[Doubles, Doubles]]:
    """All sources. Two immediates in a row are the high and the low half of one operand."""
    sources = list(s.sources)
    if sum(source.kind is Kind.IMMEDIATE for source in sources) < 2:
        return [operand(s, source) for source in sources]
    place = next(k for k, source in enumerate(sources) if source.kind is Kind.IMMEDIATE)
    both = operand(s, sources[place + 1])[0], operand(s, sources[place])[0]
    rest = [operand(s, source) for source in sources[:place] + sources[place + 2 :]]
    return [*rest[:place], both, *rest[place:]]


def write(s: Step, low: Doubles, high: Doubles) -> None:
    """Round and write; SAT clamps, FTZ flushes. With F32 the low result, in binary32."""
    if s.has("F32"):
        return s.write_float(low.astype(np.float32))
    results = [value.astype(np.float16) for value in (low, high)]
    if s.has("SAT"):
        results = [np.where(np.isnan(h), 0, np.clip(h, 0, 1)).astype(np.float16) for h in results]
    if s.has("FTZ"):
        results = [np.where(np.abs(h) < np.finfo(np.float16).tiny, h * 0, h) for h in results]
    s.write(packed(*results))


@semantics("HADD2", modifiers="F32 FTZ SAT", suffixes=SELECTIONS)
def hadd2(s: Step) -> None:
    """Adds halves; in binary64 the sum of two is exact."""
    a, b = operands(s)
    write(s, a[0] + b[0], a[1] + b[1])


@semantics("HMUL2", modifiers="FTZ SAT", suffixes=SELECTIONS)
def hmul2(s: Step) -> None:
    """Multiplies halves."""
    a, b = operands(s)
    write(s, a[0] * b[0], a[1] * b[1])


@semantics("HFMA2", modifiers="MMA FTZ SAT", suffixes=SELECTIONS)
def hfma2(s: Step) -> None:
    """Multiplies and adds halves with one rounding."""
    a, b, c = operands(s)
    write(s, odd_sum(a[0] * b[0], c[0]), odd_sum(a[1] * b[1], c[1]))
