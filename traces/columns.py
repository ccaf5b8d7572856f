"""Some CTAs of a kernel as flat columns of numbers, the payload of a `.warptrace` block, and back.

`Builder` makes columns, `Block` checks columns and gives the CTAs back; `pack` and `unpack` turn
columns into bytes that compress well. The columns are described in `docs/formats.md`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import Access, Program
from .kernel import WARP_SIZE, Accesses, Cta, Path, Warp, lanes_of

BLOCK_CTAS: Final = 32  # a block ends after so many CTAs,
BLOCK_ENTRIES: Final = 1 << 17  # or once it holds so many rows of addresses and path entries
CTA_LIMIT: Final = 1 << 31  # bytes that the addresses of one CTA may take

# Name and type of every column, in file order; `shared_` repeats the addresses for LDGSTS.
TYPES: Final[dict[str, str]] = {
    "path_length": "<u4",  # per distinct path
    "pcs": "<u4",  # per path entry
    "active": "<u4",
    "executed": "<u4",
    "warp_path": "<u4",  # per warp: number of its path in this block
    "listed": "u1",  # per row of addresses: 0 base and stride, 1 listed
    "base": "<i8",  # per row with base and stride: address of the first executing lane
    "stride": "<i8",  # bytes from lane to lane
    "list": "<i8",  # per executing lane of a listed row
    "shared_listed": "u1",
    "shared_base": "<i8",
    "shared_stride": "<i8",
    "shared_list": "<i8",
}
LENGTHS: Final = struct.Struct(f"<{len(TYPES)}Q")

Columns: TypeAlias = dict[str, NDArray[Any]]
Addresses: TypeAlias = NDArray[np.int64]  # shape (rows, 32)
Masks: TypeAlias = NDArray[np.uint32]  # one lane mask per row
LANES: Final = np.arange(WARP_SIZE, dtype=np.int64)


def pack(columns: Columns) -> bytes:
    """Lengths, then every column as differences, split into planes of equal byte significance."""
    arrays = [columns[name].astype(kind) for name, kind in TYPES.items()]
    return LENGTHS.pack(*map(len, arrays)) + b"".join(map(_planes, arrays))


def unpack(data: bytes) -> Columns:
    """Inverse of `pack`."""
    if len(data) < LENGTHS.size:
        raise InputError(f"{len(data)} bytes found, expected at least {LENGTHS.size}")
    lengths = LENGTHS.unpack_from(data)
    types = [np.dtype(kind) for kind in TYPES.values()]
    expected = sum(n * kind.itemsize for n, kind in zip(lengths, types, strict=True))
    if LENGTHS.size + expected != len(data):
        raise InputError(f"{len(data)} bytes found, expected {LENGTHS.size + expected}")
    columns, start = {}, LENGTHS.size
    for name, kind, length in zip(TYPES, types, lengths, strict=True):
        planes = np.frombuffer(data, np.uint8, length * kind.itemsize, start)
        differences = planes.reshape(kind.itemsize, length).T.copy().view(kind).reshape(length)
        columns[name] = np.cumsum(differences, dtype=kind)
        start += length * kind.itemsize
    return columns


def _planes(column: NDArray[Any]) -> bytes:
    differences = np.diff(column, prepend=column.dtype.type(0))
    return differences.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()


@dataclass(frozen=True, eq=False)
class Layout:
    """What decides the number of rows: warps per CTA, and which static instructions have rows."""

    warps: int
    addressed: NDArray[np.bool_]  # instruction addresses memory
    copies: NDArray[np.bool_]  # instruction is an LDGSTS

    @classmethod
    def of(cls, program: Program, warps: int) -> Layout:
        accesses = np.array([i.access for i in program.instructions], dtype=np.uint8)
        return cls(warps, accesses != Access.NONE, accesses == Access.ASYNC_COPY)

    def rows(self, path: Path) -> tuple[Masks, NDArray[np.bool_]]:
        """Executing lanes of each row of a warp with this path, and which rows are LDGSTS."""
        has_row = self.addressed[path.pcs]
        return path.executed[has_row], self.copies[path.pcs[has_row]]

    def check(self, path: Path) -> None:
        """Raise unless `path` fits the program and its masks make sense."""
        if len(path.active) != len(path.pcs) or len(path.executed) != len(path.pcs):
            raise InputError("a path has masks for another number of instructions than it has")
        if len(path.pcs) and path.pcs.max() >= len(self.addressed):
            raise InputError(
                f"a path runs instruction {path.pcs.max()} of a program with {len(self.addressed)}"
            )
        if (path.executed & ~path.active).any():
            raise InputError("a path executes an instruction in a lane that is not active")


def fingerprint(path: Path) -> bytes:
    """Equal for equal paths, and in practice only for those."""
    digest = hashlib.blake2b(digest_size=16)
    for column in (path.pcs, path.active, path.executed):
        digest.update(column.astype("<u4").tobytes())
    return digest.digest()


class Builder:
    """Collects CTAs until the block is full."""

    def __init__(self, layout: Layout) -> None:
        self.ctas: list[Cta] = []
        self._layout = layout
        self._paths: dict[bytes, tuple[int, Path]] = {}
        self._number_by_id: dict[int, int] = {}  # `ctas` keeps the paths, so the ids, alive
        self._entries = 0

    @property
    def full(self) -> bool:
        return len(self.ctas) >= BLOCK_CTAS or self._entries >= BLOCK_ENTRIES

    def add(self, cta: Cta) -> None:
        """Take one more CTA; raise if it does not fit the program."""
        if len(cta.warps) != self._layout.warps:
            raise InputError(f"{len(cta.warps)} warps found, expected {self._layout.warps}")
        self.ctas.append(cta)
        for warp in cta.warps:
            if id(warp.path) not in self._number_by_id:
                self._number_by_id[id(warp.path)] = self._add_path(warp.path)
            self._entries += len(warp.accesses.addresses)

    def columns(self) -> Columns:
        """The block's columns; raise if addresses and masks contradict each other."""
        warps = [warp for cta in self.ctas for warp in cta.warps]
        numbers = [self._number_by_id[id(warp.path)] for warp in warps]
        paths = [path for _, path in self._paths.values()]
        rows = [self._layout.rows(path) for path in paths]
        executed = _joined([rows[n][0] for n in numbers], np.uint32)
        copies = _joined([rows[n][1] for n in numbers], np.bool_)
        expected = [len(rows[n][0]) for n in numbers]
        addresses = _rows([warp.accesses.addresses for warp in warps], expected)
        if not self._layout.copies.any():
            expected = [0] * len(warps)
        shared = _rows([warp.accesses.shared for warp in warps], expected)
        if len(shared) and shared[~copies].any():
            raise InputError("a row has a shared address though its instruction is no LDGSTS")
        return {
            "path_length": np.array([len(path.pcs) for path in paths], np.uint32),
            "pcs": _joined([path.pcs for path in paths], np.uint32),
            "active": _joined([path.active for path in paths], np.uint32),
            "executed": _joined([path.executed for path in paths], np.uint32),
            "warp_path": np.array(numbers, np.uint32),
            **_compress("", addresses, executed),
            **_compress("shared_", shared[copies[: len(shared)]], executed[copies]),
        }

    def _add_path(self, path: Path) -> int:
        key = fingerprint(path)
        if key not in self._paths:
            self._layout.check(path)
            self._paths[key] = len(self._paths), path
            self._entries += len(path.pcs)
        return self._paths[key][0]


class Block:
    """Checked columns of some CTAs; addresses are expanded when a CTA is asked for."""

    def __init__(
        self, columns: Columns, layout: Layout, ctas: int, interned: MutableMapping[bytes, Path]
    ) -> None:
        """`interned` lets blocks share equal paths."""
        self._layout = layout
        self._paths = [
            interned.setdefault(fingerprint(path), path) for path in _split_paths(columns, layout)
        ]
        self._numbers = columns["warp_path"]
        if len(self._numbers) != ctas * layout.warps:
            raise InputError(f"{len(self._numbers)} warps found, expected {ctas * layout.warps}")
        if len(self._numbers) and self._numbers.max() >= len(self._paths):
            raise InputError(f"a warp names path {self._numbers.max()} of {len(self._paths)}")
        rows = [layout.rows(path) for path in self._paths]
        self._first_row = self._starts([len(executed) for executed, _ in rows])
        self._first_copy = self._starts([int(copies.sum()) for _, copies in rows])
        # The counts come first: they bound what the two joins below allocate.
        _expect("rows of addresses", len(columns["listed"]), self._first_row[-1])
        _expect("rows of shared addresses", len(columns["shared_listed"]), self._first_copy[-1])
        executed = _joined([rows[n][0] for n in self._numbers], np.uint32)
        self._copies = _joined([rows[n][1] for n in self._numbers], np.bool_)
        self._addresses = _Rows(columns, "", executed)
        self._shared = _Rows(columns, "shared_", executed[self._copies])

    def cta(self, index: int, number: int) -> Cta:
        """CTA at position `index` of the block, which is CTA `number` of the kernel."""
        warps = slice(index * self._layout.warps, (index + 1) * self._layout.warps)
        first, last = self._first_row[warps.start], self._first_row[warps.stop]
        size = int(last - first) * WARP_SIZE * 8 * 2
        if size > CTA_LIMIT:
            raise InputError(f"the addresses of CTA {number} take {size} bytes, over {CTA_LIMIT}")
        addresses = self._addresses.expand(first, last)
        shared = np.zeros_like(addresses if self._layout.copies.any() else addresses[:0])
        if len(shared):
            copies = self._first_copy[warps.start], self._first_copy[warps.stop]
            shared[self._copies[first:last]] = self._shared.expand(*copies)
        ends = self._first_row[warps.start + 1 : warps.stop] - first
        accesses = map(Accesses, np.split(addresses, ends), np.split(shared, ends))
        paths = (self._paths[n] for n in self._numbers[warps])
        return Cta(number, tuple(map(Warp, paths, accesses)))

    def _starts(self, per_path: list[int]) -> NDArray[np.int64]:
        """Where each warp's rows begin, given the rows of each path; one more for the end."""
        counts = np.array(per_path, np.int64)[self._numbers]
        return np.concatenate([[0], np.cumsum(counts)])


class _Rows:
    """Compressed rows of addresses, `prefix` naming their columns."""

    def __init__(self, columns: Columns, prefix: str, executed: Masks) -> None:
        self._executed = executed
        self._listed = columns[prefix + "listed"].astype(bool)
        self._base = columns[prefix + "base"]
        self._stride = columns[prefix + "stride"]
        self._list = columns[prefix + "list"]
        if columns[prefix + "listed"].max(initial=0) > 1:
            raise InputError(f"column {prefix}listed holds a value other than 0 and 1")
        lanes = np.where(self._listed, np.bitwise_count(executed), 0)
        self._first_affine = np.concatenate([[0], np.cumsum(~self._listed)])
        self._first_lane = np.concatenate([[0], np.cumsum(lanes, dtype=np.int64)])
        _expect(f"entries in column {prefix}base", len(self._base), self._first_affine[-1])
        _expect(f"entries in column {prefix}stride", len(self._stride), self._first_affine[-1])
        _expect(f"entries in column {prefix}list", len(self._list), self._first_lane[-1])
        if (executed[self._listed] == 0).any() or self._base[executed[~self._listed] == 0].any():
            raise InputError("a row has an address though no lane executes")

    def expand(self, first: int, last: int) -> Addresses:
        """Rows `first` to `last` (excluded), zero where a lane does not execute."""
        lanes = lanes_of(self._executed[first:last])
        listed = self._listed[first:last]
        affine = slice(self._first_affine[first], self._first_affine[last])
        addresses = np.zeros(lanes.shape, np.int64)
        addresses[~listed] = _affine(self._base[affine], self._stride[affine], lanes[~listed])
        listed_lanes = slice(self._first_lane[first], self._first_lane[last])
        addresses[lanes & listed[:, np.newaxis]] = self._list[listed_lanes]
        return addresses


def _compress(prefix: str, addresses: Addresses, executed: Masks) -> Columns:
    """Columns of these rows. All arithmetic wraps, here and in `_affine`, so nothing is lost."""
    lanes = lanes_of(executed)
    if addresses[~lanes].any():
        raise InputError("a row has an address in a lane that does not execute")
    rows = np.arange(len(lanes))
    first = lanes.argmax(axis=1)
    others = lanes.copy()
    others[rows, first] = False
    second = np.where(others.any(axis=1), others.argmax(axis=1), first)
    base = addresses[rows, first]
    stride = (addresses[rows, second] - base) // np.maximum(second - first, 1)
    listed = (_affine(base, stride, lanes) != addresses).any(axis=1)
    return {
        prefix + "listed": listed.astype(np.uint8),
        prefix + "base": base[~listed],
        prefix + "stride": stride[~listed],
        prefix + "list": addresses[lanes & listed[:, np.newaxis]],
    }


def _affine(base: NDArray[Any], stride: NDArray[Any], lanes: NDArray[np.bool_]) -> Addresses:
    """Addresses that start with `base` at the first set lane and grow by `stride` per lane."""
    steps = LANES - lanes.argmax(axis=1)[:, np.newaxis]
    values: Addresses = base[:, np.newaxis] + steps * stride[:, np.newaxis]
    return np.where(lanes, values, 0)


def _split_paths(columns: Columns, layout: Layout) -> list[Path]:
    """The distinct paths of a block, checked."""
    lengths = columns["path_length"].astype(np.int64)
    entries = [columns[name] for name in ("pcs", "active", "executed")]
    for column in entries:
        _expect("path entries", len(column), lengths.sum())
    ends = np.cumsum(lengths)
    paths = []
    for start, end in zip(ends - lengths, ends, strict=True):
        path = Path(*(column[start:end] for column in entries))
        layout.check(path)
        paths.append(path)
    return paths


def _joined(parts: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts])


def _rows(parts: list[Addresses], expected: list[int]) -> Addresses:
    """All warps' rows; raise where a warp has another number than its path says."""
    for rows, count in zip(parts, expected, strict=True):
        if rows.shape != (count, WARP_SIZE):
            raise InputError(f"addresses of shape {rows.shape} found, expected ({count}, 32)")
    return np.concatenate([np.empty((0, WARP_SIZE), np.int64), *parts])


def _expect(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(f"{found} {what} found, expected {expected}")
