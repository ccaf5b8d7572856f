"""Compiled loops over the lanes of a step, where numpy would pass over memory many times.

Arrays are contiguous; those that hold a value for each lane have the shape (warps, 32).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.compiled import entry

NAN = np.uint32(0x7FFF_FFFF)  # what arithmetic returns for any NaN
EXPONENT, SIGN = np.uint32(0x7F80_0000), np.uint32(0x8000_0000)


def whole(value: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """An operand that broadcasts to a shape, contiguous in that shape."""
    return value if value.shape == shape else np.ascontiguousarray(np.broadcast_to(value, shape))


@entry
def multiply_add(a, b, c):
    """a b + c of binary32 numbers, rounded once.

    The product is exact in binary64. Their sum is rounded to odd there: if inexact, its last bit
    is set, so that the second rounding cannot meet a tie that is none (Boldo and Melquiond 2008).
    """
    result = np.empty(a.shape, np.float32)
    for row in range(a.shape[0]):
        for lane in range(a.shape[1]):
            product = np.float64(a[row, lane]) * np.float64(b[row, lane])
            addend = np.float64(c[row, lane])
            total = product + addend
            other = total - product
            error = (product - (total - other)) + (addend - other)
            bits = np.float64(total).view(np.int64)
            if error != 0 and np.isfinite(total) and bits & 1 == 0:
                bits += 1 if (error > 0) == (total > 0) else -1
            result[row, lane] = np.float32(np.int64(bits).view(np.float64))
    return result


@entry
def result_bits(values, saturate, flush):
    """Bits of binary32 results: NaNs become canonical, or 0 where SAT clamps to [0, 1]."""
    result = np.empty(values.shape, np.uint32)
    for row in range(values.shape[0]):
        for lane in range(values.shape[1]):
            value = values[row, lane]
            if saturate:
                value = np.float32(min(value, 1) if value > 0 else 0)
            bits = NAN if np.isnan(value) else np.float32(value).view(np.uint32)
            if flush and bits & EXPONENT == 0:
                bits &= SIGN
            result[row, lane] = bits
    return result


@entry
def place_in_pages(address, lanes, size, base, page_bits, limits):
    """Offsets of an access in paged memory, and the first lane (counted through) that may not.

    `limits` says for each page where its allocation ends. Lanes that do not execute have offset 0;
    the number is -1 if all that execute may.
    """
    offsets = np.zeros(address.shape, np.int64)
    bad = -1
    for row in range(address.shape[0]):
        for lane in range(address.shape[1]):
            offset = address[row, lane] - base
            if lanes[row, lane]:
                page = offset >> page_bits
                inside = 0 <= page < len(limits) and offset + size <= limits[page]
                if inside and address[row, lane] & (size - 1) == 0:
                    offsets[row, lane] = offset
                elif bad < 0:
                    bad = row * address.shape[1] + lane
    return offsets, bad


@entry
def place_in_windows(address, lanes, size, limit, starts, lane_bytes):
    """The same in memory of which each warp, or each lane, has a window of `limit` bytes.

    A warp's begins at its element of `starts`, a lane's `lane_bytes` behind the previous lane's.
    """
    offsets = np.zeros(address.shape, np.int64)
    bad = -1
    for row in range(address.shape[0]):
        for lane in range(address.shape[1]):
            if lanes[row, lane]:
                at = address[row, lane]
                if 0 <= at <= limit - size and at & (size - 1) == 0:
                    offsets[row, lane] = starts[row] + lane * lane_bytes + at
                elif bad < 0:
                    bad = row * address.shape[1] + lane
    return offsets, bad


@entry
def gather(values, offsets, count):
    """`count` consecutive words at each byte offset, shape (count, warps, 32)."""
    words = np.empty((count, *offsets.shape), np.uint32)
    for row in range(offsets.shape[0]):
        for lane in range(offsets.shape[1]):
            first = np.uint64(offsets[row, lane] >> 2)  # spares the test for negative indices
            for i in range(count):
                words[i, row, lane] = values[first + np.uint64(i)]
    return words


@entry
def put(target, warps, lanes, values):
    """Store the values of the lanes that execute; `target` has rows for all warps."""
    for row in range(len(warps)):
        for lane in range(lanes.shape[1]):
            if lanes[row, lane]:
                target[warps[row], lane] = values[row, lane]


@entry
def scatter(values, elements, lanes, words):
    """Store the low part of the word of each lane that executes, in order; the last one stays."""
    for row in range(elements.shape[0]):
        for lane in range(elements.shape[1]):
            if lanes[row, lane]:
                values[elements[row, lane]] = words[row, lane]
