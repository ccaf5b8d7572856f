"""Rows of addresses as columns of small numbers, and back.

Rows are grouped by static instruction: what one instruction accesses changes little from one
execution, warp or CTA to the next. A row is a base and a stride, or a list of its lanes' addresses.
A base is stored as the difference to the group's last base, a listed address as the difference to
the last listed one of its lane in the group; the first ones differ from the group's `origin`. All
arithmetic wraps at 64 bits, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from . import lane_addresses
from .kernel import WARP_SIZE, lanes_of
from .lane_addresses import HIGHEST

Addresses: TypeAlias = NDArray[np.int64]  # shape (rows, 32)
Masks: TypeAlias = NDArray[np.uint32]  # one lane mask per row
Columns: TypeAlias = dict[str, NDArray[Any]]
BITS: Final = 64


class _Groups:
    """The rows in which lanes execute, ordered by instruction and otherwise as they came."""

    def __init__(self, pcs: NDArray[np.uint32], executed: Masks) -> None:
        filled = np.flatnonzero(executed)
        self.rows = filled[np.argsort(pcs[filled], kind="stable")]
        self.masks = executed[self.rows].astype(np.int64)
        begins = np.diff(pcs[self.rows].astype(np.int64), prepend=-1) != 0
        self.number = np.cumsum(begins) - 1  # of each row's group
        self.count = int(begins.sum())

    @property
    def all(self) -> tuple[NDArray[Any], ...]:
        """As the loops over lanes take them."""
        return self.rows, self.number, self.masks


def compress(addresses: Addresses, pcs: NDArray[np.uint32], executed: Masks) -> Columns:
    """Columns of rows. Raises InputError for an address in a lane that does not execute."""
    if addresses[~lanes_of(executed)].any():
        raise InputError("a row has an address in a lane that does not execute")
    groups = _Groups(pcs, executed)
    listed = np.zeros(len(groups.rows), np.uint8)
    base, stride = np.zeros((2, len(listed)), np.int64)
    origin = np.full(groups.count, HIGHEST, np.int64)
    lane_addresses.fit(*groups.all, addresses, listed, base, stride, origin)
    bits = np.zeros(groups.count, np.int64)
    lane_addresses.collect_bits(*groups.all, addresses, origin, bits)
    shift = _trailing_zeros(bits)
    bases = np.zeros(len(listed) - listed.sum(), np.int64)
    lists = np.zeros(int(np.bitwise_count(groups.masks[listed != 0]).sum()), np.int64)
    lane_addresses.subtract(*groups.all, addresses, listed, origin, shift, _room(), bases, lists)
    return {
        "origin": origin,
        "shift": shift,
        "listed": listed,
        "base": _folded(bases),
        "stride": _folded(np.diff(stride[listed == 0], prepend=np.int64(0))),
        "list": _folded(lists),
    }


def expand(
    columns: Mapping[str, NDArray[Any]], prefix: str, pcs: NDArray[np.uint32], executed: Masks
) -> Addresses:
    """Inverse of `compress` for columns whose names begin with `prefix`. Raises InputError."""
    groups = _Groups(pcs, executed)
    listed, shift = columns[prefix + "listed"], columns[prefix + "shift"].astype(np.int64)
    if listed.max(initial=0) > 1 or shift.max(initial=0) >= BITS:
        raise InputError(f"column {prefix}listed or {prefix}shift holds a number that is too large")
    bases = len(listed) - int(listed.sum())
    lanes = int(np.bitwise_count(groups.masks[: len(listed)][listed != 0]).sum())
    sizes = {"origin": groups.count, "shift": groups.count, "listed": len(groups.rows)}
    for name, size in (sizes | {"base": bases, "stride": bases, "list": lanes}).items():
        found = len(columns[prefix + name])
        if found != size:
            raise InputError(f"{found} entries in column {prefix}{name} found, expected {size}")
    addresses = np.zeros((len(executed), WARP_SIZE), np.int64)
    lane_addresses.add(
        *groups.all,
        listed,
        columns[prefix + "origin"],
        shift,
        _room(),
        *(columns[prefix + name].view(np.int64) for name in ("base", "stride", "list")),
        addresses,
    )
    return addresses


def _room() -> NDArray[np.int64]:
    return np.zeros(WARP_SIZE, np.int64)


def _trailing_zeros(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each number; 0 for the number 0."""
    ones_below = (numbers & -numbers).view(np.uint64) - np.uint64(1)
    return np.where(numbers, np.bitwise_count(ones_below), 0).astype(np.int64)


def _folded(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ...: small numbers of both signs have small bytes."""
    return (numbers << 1 ^ numbers >> BITS - 1).view(np.uint64)
