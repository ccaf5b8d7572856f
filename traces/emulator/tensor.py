"""Matrix products of a warp, whose lanes hold fragments of the matrices (PTX ISA, mma).

Lane l has group g = l / 4 and place t = l % 4. A register of A or B holds `e` neighbouring elements
of a row of A or a column of B, from e t on; further registers of A alternate between the rows g and
g + 8 and then go on to the next columns, those of B go on to the next rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .half import NAN
from .semantics import semantics
from .step import NAN as FLOAT_NAN
from .step import Step, Words

Index = NDArray[np.intp]
Matrix = NDArray[Any]  # shape (warps, rows, columns)

LANES = np.arange(32)
GROUP, PLACE = LANES >> 2, LANES & 3
SHAPE = re.compile(r"(16|8)(8)(\d+)")


def shape(s: Step) -> tuple[int, int, int]:
    """M, N and K of an instruction such as HMMA.16816.F32."""
    found = next(SHAPE.fullmatch(m) for m in s.instruction.modifiers if m.isdigit())
    assert found
    m, n, k = map(int, found.groups())
    return m, n, k


def fields(word: Words, bits: int) -> NDArray[np.uint32]:
    """The elements of words, lowest first; shape (elements, warps, 32)."""
    count = 32 // bits
    mask = np.uint32((1 << bits) - 1)
    return np.stack([word >> np.uint32(bits * i) & mask for i in range(count)])


def load(
    s: Step, source: int, rows: int, columns: int, bits: int, a: bool, decode: Callable[..., Any]
) -> Matrix:
    """A (its rows) or B (its columns as rows) from the fragments of all lanes."""
    count = 32 // bits
    registers = rows * columns * bits // 1024
    matrix = np.zeros((len(s.warps), rows, columns), np.uint32)
    alternate = a and rows == 16
    for r in range(registers):
        word = np.broadcast_to(s.raw(s.sources[source], r), (len(s.warps), 32))
        row = GROUP + 8 * (r & 1) if alternate else GROUP
        first = count * PLACE + 4 * count * (r >> 1 if alternate else r)
        for i, values in enumerate(fields(word, bits)):
            matrix[:, row, first + i] = values
    result: Matrix = decode(matrix)
    return result


def places(registers: int, per_register: int) -> list[tuple[Index, Index]]:
    """Row and column, by lane, of the elements of C and D, one register after another."""
    result = []
    for r in range(registers):
        for i in range(per_register):
            row = r if per_register == 2 else r >> 1
            column = i if per_register == 2 else r & 1
            result.append((GROUP + 8 * row, 2 * PLACE + column))
    return result


def accumulator(s: Step, rows: int, half: bool) -> tuple[Matrix, list[tuple[Index, Index]]]:
    """The bits of C, and where its elements lie."""
    per_register = 2 if half else 1
    registers = rows * 8 // (32 * per_register)
    at = places(registers, per_register)
    matrix = np.zeros((len(s.warps), rows, 8), np.uint32)
    for r in range(registers):
        word = np.broadcast_to(s.raw(s.sources[2], r), (len(s.warps), 32))
        for i, values in enumerate(fields(word, 16) if half else [word]):
            row, column = at[r * per_register + i]
            matrix[:, row, column] = values
    return matrix, at


def store(s: Step, matrix: Matrix, at: list[tuple[Index, Index]], half: bool) -> None:
    """Write the bits of D."""
    values = [matrix[:, row, column].astype(np.uint32) for row, column in at]
    if half:
        pairs = zip(values[::2], values[1::2], strict=True)
        values = [low | high << np.uint32(16) for low, high in pairs]
    s.write(*values)


def float16(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Numbers of half precision."""
    return bits.astype(np.uint16).view(np.float16).astype(np.float64)


def float32(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Numbers of single precision."""
    return bits.view(np.float32).astype(np.float64)


def bfloat16(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """The upper half of a number of single precision."""
    return float32(bits << np.uint32(16))


def tf32(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Single precision without the last 13 bits."""
    return float32(bits & np.uint32(0xFFFF_E000))


@semantics("HMMA", modifiers="16816 1688 1684 F32 F16 BF16 TF32")
def hmma(s: Step) -> None:
    """D = A B + C in floating point, summed in binary64 and rounded once.

    The hardware aligns and truncates the products of a few elements before it adds them, in a way
    that is not documented; its results differ in the last bits.
    """
    m, n, k = shape(s)
    bits, decode = 16, float16
    if s.has("BF16"):
        decode = bfloat16
    elif s.has("TF32"):
        bits, decode = 32, tf32
    a = load(s, 0, m, k, bits, True, decode)
    b = load(s, 1, n, k, bits, False, decode)
    half = not s.has("F32")
    c, at = accumulator(s, m, half)
    d = a @ b.transpose(0, 2, 1) + (float16(c) if half else float32(c))
    if half:
        rounded = np.where(np.isnan(d), NAN, d.astype(np.float16).view(np.uint16))
    else:
        rounded = np.where(np.isnan(d), FLOAT_NAN, d.astype(np.float32).view(np.uint32))
    store(s, rounded, at, half)


INTEGERS = {"U8": (8, False), "S8": (8, True), "U4": (4, False), "S4": (4, True)}


@semantics(
    "IMMA", modifiers=f"16816 16832 16864 8816 8832 {' '.join(INTEGERS)} SAT", suffixes="ROW COL"
)
def imma(s: Step) -> None:
    """D = A B + C in integers, which wraps or, with SAT, saturates."""
    m, n, k = shape(s)
    types = [INTEGERS[name] for name in s.instruction.modifiers if name in INTEGERS]
    a, b = (
        load(s, source, rows, k, bits, source == 0, integer(bits, signed))
        for source, rows, (bits, signed) in ((0, m, types[0]), (1, n, types[-1]))
    )
    c, at = accumulator(s, m, False)
    d = a @ b.transpose(0, 2, 1) + c.view(np.int32).astype(np.int64)
    if s.has("SAT"):
        d = np.clip(d, -(2**31), 2**31 - 1)
    store(s, d & 0xFFFF_FFFF, at, False)


def integer(bits: int, signed: bool) -> Callable[[NDArray[np.uint32]], NDArray[np.int64]]:
    """Decoder of small integers."""

    def decode(values: NDArray[np.uint32]) -> NDArray[np.int64]:
        wide = values.astype(np.int64)
        return np.where(wide >> (bits - 1) & 1, wide - (1 << bits), wide) if signed else wide

    return decode


@semantics("MOVM", modifiers="16 MT88")
def movm(s: Step) -> None:
    """Transposes the 8 x 8 matrix of halves that a register of the warp holds."""
    word = np.broadcast_to(s.raw(s.sources[0]), (len(s.warps), 32))
    matrix = np.zeros((len(s.warps), 8, 8), np.uint32)
    for i, values in enumerate(fields(word, 16)):
        matrix[:, 2 * PLACE + i, GROUP] = values
    low, high = (matrix[:, GROUP, 2 * PLACE + i] for i in (0, 1))
    s.write(low | high << np.uint32(16))
