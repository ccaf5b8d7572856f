"""How foreign traces write the addresses of one instruction, expanded for many rows at once.

Mode 0 lists an address for each executing lane, mode 1 gives the first and the distance from lane
to lane, mode 2 the first and the differences of neighbours.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from .kernel import WARP_SIZE, lanes_of

LIST_ALL, STRIDE, DELTAS = range(3)
STRIDES: Final = range(-(1 << 31), 1 << 31)
_64_BITS: Final = (1 << 64) - 1


class Rows:
    """Collects rows of addresses; arithmetic wraps at 64 bits."""

    def __init__(self) -> None:
        self._masks: list[int] = []
        self._base: list[int] = []
        self._stride: list[int] = []
        self._values: list[int] = []  # of the executing lanes of listed rows
        self._listed: list[bool] = []

    def __len__(self) -> int:
        return len(self._masks)

    def add(self, mask: int, mode: int, base: int, stride: int, values: list[int]) -> None:
        """One row, as a file has it: `values` are all addresses, or the differences.

        Raises InputError if the values do not fit the lanes of `mask`.
        """
        lanes = mask.bit_count()
        if mode == STRIDE:
            if not is_run(mask):
                raise InputError(f"a stride over lanes {mask:#010x} found, expected a run of lanes")
            self.affine(mask, base, stride)
        elif mode == LIST_ALL:
            self._list(mask, values, lanes)
        elif mode == DELTAS:
            whole = list(itertools.accumulate(values, initial=base)) if lanes or values else []
            self._list(mask, whole, lanes)
        else:
            raise InputError(f"mode {mode} found, expected 0, 1 or 2")

    def affine(self, mask: int, base: int, stride: int) -> None:
        """A row whose executing lanes are `stride` apart; all zero if there are none."""
        if not mask and base:
            raise InputError(f"address {base:#x} found, though no lane executes")
        if stride not in STRIDES:
            raise InputError(f"stride {stride} found, expected a signed 32-bit number")
        self._masks.append(mask)
        self._base.append(base & _64_BITS)
        self._stride.append(stride if mask else 0)
        self._listed.append(False)

    def _list(self, mask: int, values: list[int], lanes: int) -> None:
        if len(values) != lanes:
            raise InputError(f"{len(values)} addresses found, expected {lanes}, one a lane")
        self._masks.append(mask)
        self._base.append(0)
        self._stride.append(0)
        self._listed.append(True)
        self._values += [value & _64_BITS for value in values]

    def array(self) -> NDArray[np.int64]:
        """Shape (rows, 32); zero where a lane does not execute."""
        lanes = lanes_of(np.array(self._masks, np.uint32))
        rank = np.cumsum(lanes, axis=1, dtype=np.int64) - 1
        base = np.array(self._base, np.uint64).view(np.int64)
        stride = np.array(self._stride, np.int64)
        rows = np.where(lanes, base[:, np.newaxis] + rank * stride[:, np.newaxis], 0)
        listed = np.array(self._listed, np.bool_)
        rows[lanes & listed[:, np.newaxis]] = np.array(self._values, np.uint64).view(np.int64)
        return rows


def encode(row: NDArray[np.int64], mask: int) -> tuple[int, int, int, list[int]]:
    """Mode, unsigned base, stride and differences of a row, as the tracers choose them."""
    values = [int(row[lane]) for lane in range(WARP_SIZE) if mask >> lane & 1]
    if not values:
        return STRIDE, 0, 0, []
    deltas = [_signed(b - a) for a, b in itertools.pairwise(values)]
    base = values[0] & _64_BITS
    if is_run(mask) and len(set(deltas)) <= 1 and all(d in STRIDES for d in deltas[:1]):
        return STRIDE, base, deltas[0] if deltas else 0, []
    return DELTAS, base, 0, deltas


def _signed(value: int) -> int:
    """Wrapped to a signed 64-bit number."""
    return (value + (1 << 63) & _64_BITS) - (1 << 63)


def is_run(mask: int) -> bool:
    """Whether the lanes have no hole between them."""
    return mask & (mask + (mask & -mask)) == 0


def lanes_in_block(warp: int, threads: int) -> int:
    """Mask of the lanes of a warp that a block of so many threads has."""
    return (1 << min(max(threads - warp * WARP_SIZE, 0), WARP_SIZE)) - 1
