"""What some CTAs did as the bytes of a `.warptrace` block, and back.

A block holds consecutive CTAs, of one launch or of several. First comes which path each warp takes,
then the paths, then the addresses, each as its model codes it (`path_model`, `row_model`).
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import PT, Access, Instruction, Program
from . import entropy, path_model, row_model
from .entropy import Coder, Numbers
from .kernel import WARP_SIZE, Accesses, Cta, Path, Warp, lanes_of

BLOCK_CTAS: Final = 1 << 12  # a block ends after so many CTAs,
BLOCK_ENTRIES: Final = 1 << 17  # or once it holds so many warps, path entries and rows of addresses
SLOT_BITS: Final = range(12, 17)  # of the coder of a block: a long one has more to remember
ROW_LIMIT: Final = 1 << 22  # rows of addresses that one CTA may have
ENTRY_LIMIT: Final = 1 << 26  # path entries that a block may have,
WARP_LIMIT: Final = 1 << 22  # and warps

Addresses: TypeAlias = NDArray[np.int64]  # shape (rows, 32)
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layout:
    """What the model must know of a program's instructions."""

    addressed: Mask  # addresses memory
    copies: Mask  # is an LDGSTS, which has two addresses
    guards: Numbers  # as `path_model.code_paths` takes them

    @classmethod
    def of(cls, program: Program) -> Layout:
        accesses = np.array([i.access for i in program.instructions], np.uint8)
        guards = np.array([_guard(inst) for inst in program.instructions], np.int64)
        return cls(accesses != Access.NONE, accesses == Access.ASYNC_COPY, guards)

    def __len__(self) -> int:
        return len(self.guards)

    @cached_property
    def groups(self) -> Numbers:
        """Number of each instruction's first group of rows, and how many groups there are."""
        return np.cumsum([0, *(self.addressed.astype(np.int64) + self.copies)])

    @cached_property
    def has_copies(self) -> bool:
        return bool(self.copies.any())

    def check(self, path: Path) -> None:
        """Raise unless `path` fits the program and its masks make sense."""
        if len(path.active) != len(path.pcs) or len(path.executed) != len(path.pcs):
            raise InputError("a path has masks for another number of instructions than it has")
        if len(path.pcs) and path.pcs.max() >= len(self):
            raise InputError(
                f"a path runs instruction {path.pcs.max()} of a program with {len(self)}"
            )
        if (path.executed & ~path.active).any():
            raise InputError("a path executes an instruction in a lane that is not active")


def _guard(inst: Instruction) -> int:
    if inst.guard == PT:
        return -1
    return 2 * (inst.guard + (PT + 1) * inst.guard_uniform) + inst.guard_negated


class Part(NamedTuple):
    """Consecutive CTAs of one launch."""

    layout: Layout
    warps: int  # of each
    ctas: int


def fingerprint(path: Path) -> bytes:
    """Equal for equal paths, and in practice only for those."""
    digest = hashlib.blake2b(digest_size=16)
    for column in (path.pcs, path.active, path.executed):
        digest.update(column.astype("<u4").tobytes())
    return digest.digest()


class _Rows(NamedTuple):
    """The rows of addresses of a path; an LDGSTS has two of them, one behind the other."""

    groups: Numbers
    masks: Numbers
    second: Mask  # the second one of an LDGSTS

    @classmethod
    def of(cls, path: Path, layout: Layout) -> _Rows:
        has_row = layout.addressed[path.pcs]
        pcs, executed = path.pcs[has_row], path.executed[has_row].astype(np.int64)
        if not layout.has_copies:
            return cls(layout.groups[pcs], executed, np.zeros(len(pcs), np.bool_))
        times = layout.copies[pcs] + 1
        second = np.zeros(times.sum(), np.bool_)
        second[np.cumsum(times)[times == 2] - 1] = True
        return cls(
            np.repeat(layout.groups[pcs], times) + second, np.repeat(executed, times), second
        )


class Builder:
    """Collects CTAs until the block is full."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._paths: dict[tuple[int, bytes], int] = {}  # by program and fingerprint
        self._steps: list[Path] = []
        self._number_by_id: dict[tuple[int, int], int] = {}
        self._warps: list[Warp] = []
        self._numbers: list[int] = []  # of the warps' paths
        self._entries = 0
        self.ctas = 0

    @property
    def full(self) -> bool:
        return self.ctas >= BLOCK_CTAS or self._entries >= BLOCK_ENTRIES

    def add(self, cta: Cta, layout: Layout, warps: int) -> None:
        """Take one more CTA; raise if it does not fit the program."""
        if len(cta.warps) != warps:
            raise InputError(f"{len(cta.warps)} warps found, expected {warps}")
        rows = sum(len(warp.accesses.addresses) for warp in cta.warps)
        if rows > ROW_LIMIT:
            raise InputError(f"{rows} rows of addresses found, expected at most {ROW_LIMIT}")
        if not self._parts or self._parts[-1][:2] != (layout, warps):
            self._parts.append(Part(layout, warps, 0))
        part = self._parts[-1]
        self._parts[-1] = part._replace(ctas=part.ctas + 1)
        self.ctas += 1
        self._entries += rows + warps
        for warp in cta.warps:
            self._warps.append(warp)  # which keeps the path, so its id, alive
            self._numbers.append(self._number(warp.path, layout))

    def _number(self, path: Path, layout: Layout) -> int:
        known = id(path), id(layout)
        if known not in self._number_by_id:
            key = id(layout), fingerprint(path)
            if key not in self._paths:
                layout.check(path)
                self._paths[key] = len(self._steps)
                self._steps.append(path)
                self._entries += len(path.pcs)
            self._number_by_id[known] = self._paths[key]
        return self._number_by_id[known]

    def encoded(self) -> bytes:
        """The block; raise if addresses and masks contradict each other."""
        programs = _Programs(self._parts)
        numbers = np.array(self._numbers, np.int64)
        owners = programs.of_paths(numbers, len(self._steps))
        layouts = (programs.layouts[owner] for owner in owners)
        found = list(map(_Rows.of, self._steps, layouts))
        pairs = zip(self._warps, (found[n] for n in self._numbers), strict=True)
        addresses = [_interleaved(warp.accesses, rows) for warp, rows in pairs]
        lengths = np.array([len(path.pcs) for path in self._steps], np.int64)
        steps = [
            _joined([getattr(path, name) for path in self._steps], np.int64)
            for name in ("pcs", "active", "executed")
        ]
        steps[0] += np.repeat(programs.firsts[owners], lengths)
        rows = programs.rows(found, owners, numbers)
        whole = np.concatenate([np.empty((0, WARP_SIZE), np.int64), *addresses])
        if whole[~lanes_of(rows.masks.astype(np.uint32))].any():
            raise InputError("a row has an address in a lane that does not execute")
        shifts = np.zeros(programs.n_groups, np.int64)
        row_model.find_shifts(rows.groups, rows.masks, whole, shifts)

        def write(coder: Coder) -> None:
            path_model.code_warps(coder, numbers)
            path_model.code_lengths(coder, lengths)
            path_model.code_paths(coder, lengths, *programs.bounds(owners), programs.guards, *steps)
            row_model.code_rows(coder, *rows, shifts, whole)

        slot_bits = min(max(self._entries.bit_length() + 1, min(SLOT_BITS)), max(SLOT_BITS))
        return bytes([slot_bits]) + entropy.encoded(write, entropy.untaught(slot_bits))


class Block:
    """Checked content of some CTAs."""

    def __init__(
        self, data: bytes, parts: Sequence[Part], interned: MutableMapping[bytes, Path]
    ) -> None:
        """`interned` lets blocks share equal paths. Raises InputError."""
        _expect_at_most("warps", sum(part.warps * part.ctas for part in parts), WARP_LIMIT)
        if not data or data[0] not in SLOT_BITS:
            raise InputError(f"it begins with {data[:1]!r}, expected a byte of {SLOT_BITS}")
        coder = entropy.decoder(data[1:], entropy.untaught(data[0]))
        programs = _Programs(parts)
        numbers = np.zeros(programs.n_warps, np.int64)
        owners = programs.of_paths(numbers, path_model.code_warps(coder, numbers))
        self._paths = [
            interned.setdefault(fingerprint(path), path)
            for path in _decoded_paths(coder, programs, owners)
        ]
        self._layouts = [programs.layouts[owner] for owner in owners]  # of paths
        self._rows = list(map(_Rows.of, self._paths, self._layouts))
        counts = np.array([len(rows.groups) for rows in self._rows], np.int64)[numbers]
        # The count bounds what follows.
        _expect_at_most("rows of addresses", counts.sum(), 2 * (ROW_LIMIT + BLOCK_ENTRIES))
        rows = programs.rows(self._rows, owners, numbers)
        self._addresses = np.zeros((len(rows.groups), WARP_SIZE), np.int64)
        shifts = np.zeros(programs.n_groups, np.int64)
        if not row_model.code_rows(coder, *rows, shifts, self._addresses):
            raise InputError("a row of addresses is like one that is not there")
        entropy.check_end(coder)
        ends = np.cumsum(counts)
        # Path, first row and the row behind the last one of each warp.
        self._warps = np.stack([numbers, ends - counts, ends], axis=1).tolist()
        warps = np.repeat([part.warps for part in parts], [part.ctas for part in parts])
        self._first_warp = np.concatenate([[0], np.cumsum(warps)]).tolist()

    def cta(self, index: int, number: int) -> Cta:
        """CTA at position `index` of the block, which is CTA `number` of its kernel."""
        first, end = self._first_warp[index : index + 2]
        return Cta(number, tuple(self._warp(*warp) for warp in self._warps[first:end]))

    def _warp(self, n: int, begin: int, end: int) -> Warp:
        path, layout, rows = self._paths[n], self._layouts[n], self._addresses[begin:end]
        if layout.has_copies:
            return Warp(path, _separated(rows, self._rows[n].second, layout, path))
        return Warp(path, Accesses(rows, self._addresses[:0]))


def _separated(rows: Addresses, second: Mask, layout: Layout, path: Path) -> Accesses:
    """Inverse of `_interleaved`."""
    addresses = rows[~second]
    shared = np.zeros_like(addresses)
    shared[layout.copies[path.pcs[layout.addressed[path.pcs]]]] = rows[second]
    return Accesses(addresses, shared)


class _Programs:
    """The programs of a block, whose instructions and groups are numbered through."""

    def __init__(self, parts: Sequence[Part]) -> None:
        numbers = {layout: k for k, layout in enumerate(dict.fromkeys(p.layout for p in parts))}
        self.layouts = list(numbers)
        self.guards = _joined([layout.guards for layout in numbers], np.int64)
        sizes = [[len(layout), layout.groups[-1]] for layout in numbers]
        firsts = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(sizes, axis=0)])
        self.firsts, (*self._first_groups, self.n_groups) = firsts[:, 0], firsts[:, 1]
        self._of_warps = np.repeat(
            [numbers[part.layout] for part in parts], [part.warps * part.ctas for part in parts]
        )

    @property
    def n_warps(self) -> int:
        return len(self._of_warps)

    def of_paths(self, numbers: Numbers, n_paths: int) -> Numbers:
        """Program of each path, which is that of the warps that take it."""
        found = np.zeros(n_paths, np.int64)
        found[numbers] = self._of_warps
        if (found[numbers] != self._of_warps).any():
            raise InputError("warps of two programs take the same path")
        return found

    def bounds(self, owners: Numbers) -> tuple[Numbers, Numbers]:
        """First instruction of each path's program, and the one behind its last."""
        return self.firsts[owners], self.firsts[owners + 1]

    def rows(self, found: list[_Rows], owners: Numbers, numbers: Numbers) -> _AllRows:
        """Those of all warps, whose paths have these."""
        groups = [
            rows.groups + self._first_groups[owner]
            for rows, owner in zip(found, owners, strict=True)
        ]
        counts = np.array([len(rows.groups) for rows in found], np.int64)[numbers]
        begins = (np.cumsum(counts) - counts)[counts > 0]
        new_warp = np.zeros(counts.sum(), np.uint8)
        new_warp[begins] = 1
        masks = _joined([found[n].masks for n in numbers], np.int64)
        return _AllRows(_joined([groups[n] for n in numbers], np.int64), masks, new_warp)


class _AllRows(NamedTuple):
    """The rows of all warps as `row_model.code_rows` takes them."""

    groups: Numbers
    masks: Numbers
    new_warp: NDArray[np.uint8]


def _decoded_paths(coder: Coder, programs: _Programs, owners: Numbers) -> list[Path]:
    """The distinct paths of a block."""
    lengths = np.zeros(len(owners), np.int64)
    path_model.code_lengths(coder, lengths)
    _expect_at_most("path entries", lengths.view(np.uint64).max(initial=0), ENTRY_LIMIT)
    _expect_at_most("path entries", lengths.sum(), ENTRY_LIMIT)
    steps = np.zeros((3, lengths.sum()), np.int64)
    bounds = programs.bounds(owners)
    if not path_model.code_paths(coder, lengths, *bounds, programs.guards, *steps):
        raise InputError("a path leaves its program, or names lanes that are not known")
    steps[0] -= np.repeat(bounds[0], lengths)
    ends = np.cumsum(lengths)
    parts = (np.split(column, ends[:-1]) for column in steps.astype(np.uint32))
    return list(map(Path, *parts))


def _interleaved(accesses: Accesses, rows: _Rows) -> Addresses:
    """A warp's rows, the two of an LDGSTS one behind the other; raise if they do not fit."""
    first, shared = ~rows.second, accesses.shared
    for found in (accesses.addresses, shared) if len(shared) else (accesses.addresses,):
        if found.shape != (first.sum(), WARP_SIZE):
            raise InputError(
                f"addresses of shape {found.shape} found, expected ({first.sum()}, {WARP_SIZE})"
            )
    if first.all() and not len(shared):
        return accesses.addresses
    is_copy = np.append(rows.second[1:], False)[first]
    if len(shared) == 0:
        raise InputError("an LDGSTS has no shared addresses")
    if shared[~is_copy].any():
        raise InputError("a row has a shared address though its instruction is no LDGSTS")
    found = np.empty((len(first), WARP_SIZE), np.int64)
    found[first], found[rows.second] = accesses.addresses, shared[is_copy]
    return found


def _joined(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts], dtype=kind, casting="unsafe")


def _expect_at_most(what: str, found: int, limit: int) -> None:
    if found > limit:
        raise InputError(f"{found} {what} found, expected at most {limit}")
