"""Rows of addresses as columns of small numbers, and back.

Rows are grouped by static instruction: what one instruction accesses changes little from one
execution, warp or CTA to the next. A row is a base and a stride, or as far in all lanes from one of
the rows before it, or a list of its lanes' addresses. A base is stored as the difference to the
group's last base, a listed address as the difference to the last listed one of its lane in the
group; the first ones differ from the group's `origin`, and so do all listed ones of a group where
that takes fewer bits. All arithmetic wraps at 64 bits, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from ..isa.errors import InputError
from . import lane_addresses
from .kernel import WARP_SIZE, lanes_of
from .lane_addresses import AFFINE, HIGHEST, LIKE, LISTED

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
    form = np.zeros(len(groups.rows), np.uint8)
    base, stride, like, offset = np.zeros((4, len(form)), np.int64)
    origin = np.full(groups.count, HIGHEST, np.int64)
    lane_addresses.fit(*groups.all, addresses, form, base, stride, origin)
    place = np.full(len(addresses), -1)
    place[groups.rows] = np.arange(len(groups.rows))
    lane_addresses.relate(groups.rows, groups.masks, addresses, place, form, like, offset)
    bits = np.zeros(groups.count, np.int64)
    lane_addresses.collect_bits(*groups.all, addresses, origin, bits)
    shift = _trailing_zeros(bits)
    differences = partial(_differences, groups, addresses, form, offset, origin, shift)
    steady = _steady(groups, form, differences)
    bases, offsets, lists = differences(steady)
    strides = np.diff(stride[form == AFFINE], prepend=np.int64(0))
    return {
        "origin": origin,
        "shift": shift,
        "steady": steady,
        "form": form,
        "base": bases,
        "stride": strides << 1 ^ strides >> BITS - 1,  # folded
        "like": like[form == LIKE],
        "offset": offsets,
        "list": lists,
    }


def expand(
    columns: Mapping[str, NDArray[Any]], prefix: str, pcs: NDArray[np.uint32], executed: Masks
) -> Addresses:
    """Inverse of `compress` for columns whose names begin with `prefix`. Raises InputError."""
    groups = _Groups(pcs, executed)
    form, shift = columns[prefix + "form"], columns[prefix + "shift"].astype(np.int64)
    if len(form) != len(groups.rows):
        raise InputError(f"{len(form)} entries in column {prefix}form, not {len(groups.rows)}")
    if form.max(initial=0) > LIKE or shift.max(initial=0) >= BITS:
        raise InputError(f"column {prefix}form or {prefix}shift holds a number that is too large")
    per_group = dict.fromkeys(("origin", "shift", "steady"), groups.count)
    bases, likes, lanes = _sizes(form, groups.masks)
    per_form = {"base": bases, "stride": bases, "like": likes, "offset": likes, "list": lanes}
    for name, size in (per_group | per_form).items():
        found = len(columns[prefix + name])
        if found != size:
            raise InputError(f"{found} entries in column {prefix}{name} found, expected {size}")
    like = columns[prefix + "like"].astype(np.int64)
    if (like > groups.rows[form == LIKE]).any():
        raise InputError(f"column {prefix}like names a row before the first one")
    addresses = np.zeros((len(executed), WARP_SIZE), np.int64)
    base, stride, offset, lists = (
        columns[prefix + name].view(np.int64) for name in ("base", "stride", "offset", "list")
    )
    lane_addresses.add(
        *(*groups.all, form, columns[prefix + "origin"], shift, columns[prefix + "steady"]),
        *(_room(), base, stride, like, offset, lists, addresses),
    )
    return addresses


def _sizes(form: NDArray[np.uint8], masks: NDArray[np.int64]) -> tuple[int, int, int]:
    """How many bases, offsets and listed lanes there are."""
    lanes = np.bitwise_count(masks[form == LISTED]).sum()
    return int((form == AFFINE).sum()), int((form == LIKE).sum()), int(lanes)


def _differences(
    groups: _Groups,
    addresses: Addresses,
    form: NDArray[np.uint8],
    offset: NDArray[np.int64],
    origin: NDArray[np.int64],
    shift: NDArray[np.int64],
    steady: NDArray[np.uint8],
) -> list[NDArray[np.int64]]:
    """Bases, offsets and listed addresses as they are stored."""
    parts = [np.zeros(size, np.int64) for size in _sizes(form, groups.masks)]
    fixed = form, offset, origin, shift, steady
    lane_addresses.subtract(*groups.all, addresses, *fixed, _room(), *parts)
    return parts


def _steady(
    groups: _Groups,
    form: NDArray[np.uint8],
    differences: Callable[[NDArray[np.uint8]], list[NDArray[np.int64]]],
) -> NDArray[np.uint8]:
    """Of each group: whether listed addresses are smaller as differences to the origin."""
    lanes = np.where(form == LISTED, np.bitwise_count(groups.masks), 0)
    ends = np.cumsum(np.bincount(groups.number, lanes, groups.count).astype(np.int64))
    choices = (np.full(groups.count, choice, np.uint8) for choice in (0, 1))
    parts = (np.split(differences(steady)[-1], ends)[:-1] for steady in choices)
    sizes = zip(*(map(_packed, part) for part in parts), strict=True)
    return np.array([origin < last for last, origin in sizes], np.uint8)


def _packed(numbers: NDArray[np.int64]) -> int:
    """About how many bytes they take in a file."""
    planes = numbers.view(np.uint8).reshape(-1, numbers.itemsize).T.tobytes()
    return len(zstandard.compress(planes)) if planes else 0


def _room() -> NDArray[np.int64]:
    return np.zeros(WARP_SIZE, np.int64)


def _trailing_zeros(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each number; 0 for the number 0."""
    ones_below = (numbers & -numbers).view(np.uint64) - np.uint64(1)
    return np.where(numbers, np.bitwise_count(ones_below), 0).astype(np.int64)
