"""Some CTAs of a kernel as flat columns of numbers, the payload of a `.warptrace` block, and back.

`Builder` makes columns, `Block` checks columns and gives the CTAs back; `pack` and `unpack` turn
columns into bytes that compress well. The columns are described in `docs/formats.md`.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import Access, Program
from . import mask_columns
from .address_columns import Addresses, Columns, Masks, compress, expand
from .kernel import WARP_SIZE, Accesses, Cta, Path, Warp

BLOCK_CTAS: Final = 256  # a block ends after so many CTAs,
BLOCK_ENTRIES: Final = 1 << 17  # or once it holds so many rows of addresses and path entries
ROW_LIMIT: Final = 1 << 22  # rows of addresses that one CTA may have
SIZE_LIMIT: Final = 1 << 31  # bytes that the columns of a block may take


class Form(Enum):
    """How the numbers of a column become bytes."""

    PLAIN = auto()
    PLANES = auto()  # all lowest bytes first, then the next ones, up to the last that is not 0
    DIFFERENCES = auto()  # planes of the difference from one number to the next


Types: TypeAlias = dict[str, tuple[str, Form]]  # by the name of the column

# Type and form of every column, in file order; `shared_` repeats the addresses for LDGSTS.
# Rows in which no lane executes have no entries; the others are grouped by instruction.
ADDRESS_TYPES: Final[Types] = {
    "origin": ("<i8", Form.DIFFERENCES),  # per instruction that has rows: its lowest address,
    "shift": ("u1", Form.PLAIN),  # and in how many low bits its other addresses are like it
    "steady": ("u1", Form.PLAIN),  # 1: its listed addresses are differences to the origin
    "form": ("u1", Form.PLAIN),  # per row: 0 base and stride, 1 listed, 2 like an earlier row
    "base": ("<u8", Form.PLANES),  # per row with base and stride: address of the lowest lane
    "stride": ("<u8", Form.PLANES),  # bytes from lane to lane
    "like": ("u1", Form.PLAIN),  # per row like another: how many rows before it that is
    "offset": ("<u8", Form.PLANES),  # and what all lanes add to its addresses
    "list": ("<u8", Form.PLANES),  # per executing lane of a listed row
}
TYPES: Final[Types] = {
    "path_length": ("<u4", Form.DIFFERENCES),  # per distinct path
    "pcs": ("<u4", Form.DIFFERENCES),  # per path entry
    "mask_kind": ("<u4", Form.PLANES),  # per path entry: which earlier mask its active lanes are
    "masks": ("<u4", Form.PLAIN),  # active lanes that are no earlier mask
    "skipped": ("<u4", Form.PLAIN),  # active lanes that do not execute, by instruction
    "warp_path": ("<u4", Form.DIFFERENCES),  # per warp: number of its path in this block
    **ADDRESS_TYPES,
    **{f"shared_{name}": form for name, form in ADDRESS_TYPES.items()},
}


def pack(columns: Columns, types: Types = TYPES) -> bytes:
    """The length and the number of planes of each column, then their bytes."""
    arrays = [columns[name].astype(kind) for name, (kind, _) in types.items()]
    parts = [_to_bytes(array, types[name][1]) for name, array in zip(types, arrays, strict=True)]
    sizes = [
        (len(array), len(part) // max(len(array), 1))
        for array, part in zip(arrays, parts, strict=True)
    ]
    return _head(types).pack(*itertools.chain(*sizes)) + b"".join(parts)


def unpack(data: bytes, types: Types = TYPES) -> Columns:
    """Inverse of `pack`. Raises InputError for another number of bytes than announced."""
    head = _head(types)
    if len(data) < head.size:
        raise InputError(f"{len(data)} bytes found, expected at least {head.size}")
    numbers = head.unpack_from(data)
    sizes = list(zip(numbers[::2], numbers[1::2], strict=True))
    expected = head.size + sum(length * planes for length, planes in sizes)
    if expected != len(data):
        raise InputError(f"{len(data)} bytes found, expected {expected}")
    kinds = [np.dtype(kind) for kind, _ in types.values()]
    whole = sum(length * kind.itemsize for (length, _), kind in zip(sizes, kinds, strict=True))
    if whole > SIZE_LIMIT:
        raise InputError(f"columns of {whole} bytes found, expected at most {SIZE_LIMIT}")
    columns, start = {}, head.size
    for name, kind, (length, planes) in zip(types, kinds, sizes, strict=True):
        octets = np.frombuffer(data, np.uint8, length * planes, start).reshape(planes, length)
        columns[name] = _from_bytes(name, octets, kind, types[name][1])
        start += octets.size
    return columns


def _head(types: Types) -> struct.Struct:
    """Of each column: length, planes."""
    return struct.Struct("<" + "IB" * len(types))


def _to_bytes(column: NDArray[Any], form: Form) -> bytes:
    if form is Form.PLAIN:
        return column.tobytes()
    if form is Form.DIFFERENCES:
        column = np.diff(column, prepend=column.dtype.type(0))
    planes = column.view(np.uint8).reshape(-1, column.itemsize).T
    used = np.flatnonzero(planes.any(axis=1))
    return planes[: used[-1] + 1 if len(used) else 1].tobytes()


def _from_bytes(
    name: str, octets: NDArray[np.uint8], kind: np.dtype[Any], form: Form
) -> NDArray[Any]:
    planes, length = octets.shape
    if length and not (kind.itemsize if form is Form.PLAIN else 1) <= planes <= kind.itemsize:
        raise InputError(f"column {name} has {planes} bytes a number, which has {kind.itemsize}")
    if form is Form.PLAIN:
        return octets.reshape(-1).view(kind)
    bytes_of = np.zeros((length, kind.itemsize), np.uint8)
    bytes_of[:, :planes] = octets.T
    column = bytes_of.view(kind).reshape(-1)
    return np.cumsum(column, dtype=kind) if form is Form.DIFFERENCES else column


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

    def rows(self, path: Path) -> tuple[NDArray[np.uint32], Masks]:
        """Instruction and executing lanes of each row of a warp with this path."""
        has_row = self.addressed[path.pcs]
        return path.pcs[has_row], path.executed[has_row]

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
        rows = sum(len(warp.accesses.addresses) for warp in cta.warps)
        if rows > ROW_LIMIT:
            raise InputError(f"{rows} rows of addresses found, expected at most {ROW_LIMIT}")
        self.ctas.append(cta)
        self._entries += rows
        for warp in cta.warps:
            if id(warp.path) not in self._number_by_id:
                self._number_by_id[id(warp.path)] = self._add_path(warp.path)

    def columns(self) -> Columns:
        """The block's columns; raise if addresses and masks contradict each other."""
        warps = [warp for cta in self.ctas for warp in cta.warps]
        numbers = [self._number_by_id[id(warp.path)] for warp in warps]
        paths = [path for _, path in self._paths.values()]
        rows = [self._layout.rows(path) for path in paths]
        pcs = _joined([rows[n][0] for n in numbers], np.uint32)
        executed = _joined([rows[n][1] for n in numbers], np.uint32)
        expected = [len(rows[n][0]) for n in numbers]
        addresses = _rows([warp.accesses.addresses for warp in warps], expected)
        copies = self._layout.copies[pcs]
        if not self._layout.copies.any():
            expected = [0] * len(warps)
        shared = _rows([warp.accesses.shared for warp in warps], expected)
        if len(shared) and shared[~copies].any():
            raise InputError("a row has a shared address though its instruction is no LDGSTS")
        second = compress(shared[copies[: len(shared)]], pcs[copies], executed[copies])
        lengths = np.array([len(path.pcs) for path in paths], np.uint32)
        steps = (
            _joined([getattr(path, name) for path in paths], np.uint32)
            for name in ("pcs", "active", "executed")
        )
        path_pcs, *masks = steps
        return {
            "path_length": lengths,
            "pcs": path_pcs,
            **mask_columns.compress(lengths, path_pcs, *masks),
            "warp_path": np.array(numbers, np.uint32),
            **compress(addresses, pcs, executed),
            **{f"shared_{name}": column for name, column in second.items()},
        }

    def _add_path(self, path: Path) -> int:
        key = fingerprint(path)
        if key not in self._paths:
            self._layout.check(path)
            self._paths[key] = len(self._paths), path
            self._entries += len(path.pcs)
        return self._paths[key][0]


class Block:
    """Checked columns of some CTAs."""

    def __init__(
        self, columns: Columns, layout: Layout, ctas: int, interned: MutableMapping[bytes, Path]
    ) -> None:
        """`interned` lets blocks share equal paths. Raises InputError."""
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
        counts = np.array([len(pcs) for pcs, _ in rows], np.int64)[self._numbers]
        self._first_row = np.concatenate([[0], np.cumsum(counts)])
        # The count bounds what follows.
        if self._first_row[-1] > ROW_LIMIT + BLOCK_ENTRIES:
            raise InputError(
                f"{self._first_row[-1]} rows of addresses found, expected at most "
                f"{ROW_LIMIT} in a CTA"
            )
        pcs = _joined([rows[n][0] for n in self._numbers], np.uint32)
        executed = _joined([rows[n][1] for n in self._numbers], np.uint32)
        self._copies = layout.copies[pcs]
        self._addresses = expand(columns, "", pcs, executed)
        self._shared = expand(columns, "shared_", pcs[self._copies], executed[self._copies])
        self._first_copy = np.concatenate([[0], np.cumsum(self._copies)])

    def cta(self, index: int, number: int) -> Cta:
        """CTA at position `index` of the block, which is CTA `number` of the kernel."""
        warps = slice(index * self._layout.warps, (index + 1) * self._layout.warps)
        first, last = self._first_row[warps.start], self._first_row[warps.stop]
        addresses = self._addresses[first:last]
        shared = np.zeros_like(addresses if self._layout.copies.any() else addresses[:0])
        if len(shared):
            copies = slice(self._first_copy[first], self._first_copy[last])
            shared[self._copies[first:last]] = self._shared[copies]
        ends = self._first_row[warps.start + 1 : warps.stop] - first
        accesses = map(Accesses, np.split(addresses, ends), np.split(shared, ends))
        paths = (self._paths[n] for n in self._numbers[warps])
        return Cta(number, tuple(map(Warp, paths, accesses)))


def _split_paths(columns: Columns, layout: Layout) -> list[Path]:
    """The distinct paths of a block, checked."""
    lengths = columns["path_length"].astype(np.int64)
    _expect("path entries", len(columns["pcs"]), lengths.sum())
    entries = columns["pcs"], *mask_columns.expand(columns, lengths, columns["pcs"])
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
