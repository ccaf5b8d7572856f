"""The dynamic side of a kernel, turned into the flat arrays that compiled stages read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..isa.program import Access, Space
from ..traces.kernel import SHARED_WINDOW, WARP_SIZE, WINDOW_BYTES, Accesses, Kernel, Path
from .compiled import allocate, join
from .core import instruction as core
from .machine.schema import Gpu
from .sm import coalescer


@dataclass
class _Placed:
    """A path in the shared array, and what about it all its warps have in common."""

    path: Path
    executed: NDArray[np.uint32]  # lanes of the elements that address memory
    pcs: NDArray[np.uint32]  # and their instructions
    clocks: int  # clock reads


class Streams:
    """What each warp executes: paths, addresses by line and sector, places for clock reads.

    A `KERNEL` record points into these arrays, so they must outlive it.
    """

    def __init__(self, kernel: Kernel, gpu: Gpu, table: NDArray[Any]) -> None:
        self.table = table
        self._numbers: dict[int, int] = {}  # of the paths, by identity
        self._placed: list[_Placed] = []
        accesses = _Coalescer(kernel, gpu, table, self._placed)
        paths: list[int] = []
        for number in range(kernel.n_ctas):
            warps = kernel.load_cta(number).warps
            placed = [self._place(warp.path) for warp in warps]
            paths += placed
            accesses.add(placed, [warp.accesses for warp in warps])
        self._uses = np.bincount(paths, minlength=len(self._placed))
        self.streams, clocks = self._streams(np.array(paths))
        self.clocks = np.zeros(clocks, np.int64)
        self.pcs = np.concatenate([p.path.pcs for p in self._placed]).astype(np.int32)
        self.accesses, self.lines, self.store_bytes = accesses.arrays()
        self.asked = accesses.asked  # per static instruction

    def _place(self, path: Path) -> int:
        """Number of a path; one that warps share is stored once."""
        number = self._numbers.get(id(path))
        if number is None:
            number = self._numbers[id(path)] = len(self._placed)
            rows = np.flatnonzero(self.table["accesses"][path.pcs])
            clocks = int(self.table["clock"][path.pcs].sum())
            self._placed.append(_Placed(path, path.executed[rows], path.pcs[rows], clocks))
        return number

    def _streams(self, paths: NDArray[np.int64]) -> tuple[Any, int]:
        """A `STREAM` for each warp, whose paths are given by number; how often all read clocks."""
        lengths = np.array([len(p.path.pcs) for p in self._placed])
        rows = np.array([len(p.pcs) for p in self._placed])[paths]
        clocks = np.array([p.clocks for p in self._placed])[paths]
        streams = allocate(core.STREAM, len(paths))
        streams["path"] = _begins(lengths)[paths]
        streams["length"] = lengths[paths]
        streams["access"] = _begins(rows)
        streams["clock"] = _begins(clocks)
        return streams, int(clocks.sum())

    @property
    def weights(self) -> NDArray[np.int64]:
        """Dynamic warp-instructions of each static instruction."""
        weights = np.zeros(len(self.table), np.int64)
        for placed, uses in zip(self._placed, self._uses, strict=True):
            weights += uses * np.bincount(placed.path.pcs, minlength=len(weights))
        return weights

    @property
    def warp_inst(self) -> int:
        """Dynamic warp-instructions."""
        lengths = [len(p.path.pcs) for p in self._placed]
        return int(np.dot(self._uses, lengths))

    @property
    def thread_inst(self) -> int:
        """The same, counted for each active thread."""
        return self._lanes([p.path.active for p in self._placed])

    @property
    def predicated_on_inst(self) -> int:
        """The same, counted for each thread whose guard holds."""
        return self._lanes([p.path.executed for p in self._placed])

    def _lanes(self, masks: list[NDArray[np.uint32]]) -> int:
        """Lanes of one mask a path element, over all warps."""
        return int(np.dot(self._uses, [int(np.bitwise_count(mask).sum()) for mask in masks]))


# Of an instruction: accesses with a lane, their sectors, cycles of the data stage, and how many of
# these cycles more than an access of its width without conflicts needs.
ASKED = np.dtype([(name, "i8") for name in ("requests", "sectors", "wavefronts", "conflicts")])
BATCH = 8192  # rows to coalesce at a time: calls per warp would take longer than the work


def _begins(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of some parts begins, one after another."""
    return np.cumsum(lengths) - lengths


class _Coalescer:
    """Collects the coalesced accesses of one CTA after another, whose paths are in `placed`."""

    def __init__(
        self, kernel: Kernel, gpu: Gpu, table: NDArray[Any], placed: list[_Placed]
    ) -> None:
        self._name = kernel.name
        self._placed = placed
        self._accesses: list[Any] = []
        self._lines: list[Any] = []
        self._store_bytes: list[Any] = []
        self._n_lines = 0
        self._n_bytes = 0
        self._waiting: list[Accesses] = []
        self._waiting_paths: list[int] = []
        self._n_waiting = 0
        self._room = np.empty((0, WARP_SIZE), np.int64)
        self._data_paths = np.ascontiguousarray(table["path"])
        widths = [inst.width for inst in kernel.program.instructions]
        self._sizes = np.maximum(np.array(widths, np.int64) // 8, 1)
        generic = [inst.space == Space.GENERIC for inst in kernel.program.instructions]
        self._generic = np.array(generic, bool)
        atomic = [inst.access == Access.ATOMIC for inst in kernel.program.instructions]
        self._passes = np.array(atomic, np.int64) * gpu.sm.data_path.shared_atomic_passes
        self._copies = np.array(table["copies"], bool)
        l1d = gpu.sm.l1d
        self._geometry = (l1d.sets, l1d.data_banks, l1d.bank_bytes.bit_length() - 1)
        self._rooms = coalescer.rooms()
        self._found_lines = allocate(core.LINE, 0)
        self._found_bytes = allocate(core.BYTES, 0)
        self._least = table["wavefronts"].astype(np.int64)
        self.asked = np.zeros(len(table), ASKED)

    def add(self, paths: list[int], accesses: list[Accesses]) -> None:
        """Take the accesses of warps that follow some paths."""
        self._waiting_paths += paths
        self._waiting += accesses
        self._n_waiting += sum(len(a.addresses) for a in accesses)
        if self._n_waiting >= BATCH:
            self._flush()

    def _flush(self) -> None:
        """Coalesce what waits, after a check that warps have as many accesses as they execute."""
        if not self._waiting:
            return
        found = np.array([len(a.addresses) for a in self._waiting])
        numbers, of_warp = np.unique(self._waiting_paths, return_inverse=True)
        distinct = [self._placed[number] for number in numbers]
        rows = np.array([len(placed.pcs) for placed in distinct])
        expected = rows[of_warp]
        if wrong := np.flatnonzero(found != expected).tolist():
            raise InputError(
                f"kernel {self._name}: a warp has addresses for {found[wrong[0]]} memory "
                f"instructions and executes {expected[wrong[0]]}; record the trace again"
            )
        if self._n_waiting:
            row = np.repeat(_begins(rows)[of_warp] - _begins(found), found)
            row += np.arange(self._n_waiting)
            masks = np.concatenate([placed.executed for placed in distinct])[row]
            pcs = np.concatenate([placed.pcs for placed in distinct])[row]
            self._add_rows(self._addresses(), masks, pcs)
        self._waiting, self._waiting_paths = [], []
        self._n_waiting = 0

    def _addresses(self) -> NDArray[np.int64]:
        """Those of all rows that wait; new memory for them would cost as much as the copy."""
        if len(self._room) < self._n_waiting:
            self._room = np.empty((max(self._n_waiting, BATCH), WARP_SIZE), np.int64)
        room = self._room[: self._n_waiting]
        return np.concatenate([a.addresses for a in self._waiting], out=room)

    def _paths(
        self, addresses: NDArray[np.int64], masks: NDArray[np.uint32], pcs: NDArray[np.uint32]
    ) -> NDArray[Any]:
        """The data path of each row: the first lane of a generic access tells its memory."""
        paths = self._data_paths[pcs]
        generic = np.flatnonzero(self._generic[pcs] & (masks != 0))
        first = np.bitwise_count((masks[generic] & -masks[generic]) - 1)
        offsets = addresses[generic, first] - SHARED_WINDOW
        paths[generic[(offsets >= 0) & (offsets < WINDOW_BYTES)]] = core.SHARED
        return paths

    def _add_rows(
        self, addresses: NDArray[np.int64], masks: NDArray[np.uint32], pcs: NDArray[np.uint32]
    ) -> None:
        accesses = allocate(core.ACCESS, len(pcs))
        most = 2 * int(np.bitwise_count(masks).sum(dtype=np.int64))  # two sectors a lane
        if len(self._found_lines) < most:
            self._found_lines = allocate(core.LINE, most)
            self._found_bytes = allocate(core.BYTES, most)
        lines, store_bytes = self._found_lines, self._found_bytes
        n, n_bytes = coalescer.coalesce(
            self._rooms,
            addresses,
            masks,
            pcs,
            self._paths(addresses, masks, pcs),
            self._sizes,
            self._passes,
            self._geometry,
            accesses,
            lines,
            store_bytes,
        )
        if self._copies.any():
            shared = np.concatenate([a.shared for a in self._waiting])
            coalescer.copied_wavefronts(
                self._rooms, shared, masks, pcs, self._sizes, self._copies, accesses
            )
        self._count(pcs, masks, accesses, lines["sectors"][:n])
        accesses["first"] += self._n_lines
        lines["bytes"][:n] += self._n_bytes
        self._accesses.append(accesses)
        self._lines.append(lines[:n].copy())
        self._store_bytes.append(store_bytes[:n_bytes].copy())
        self._n_lines += n
        self._n_bytes += n_bytes

    def _count(
        self, pcs: NDArray[np.uint32], masks: NDArray[np.uint32], accesses: Any, sectors: Any
    ) -> None:
        """Add accesses to what their instructions ask for."""
        rows = np.repeat(np.arange(len(pcs)), accesses["lines"])
        wavefronts = accesses["wavefronts"].astype(np.int64)
        counts = {
            "requests": masks != 0,
            "sectors": np.bincount(rows, np.bitwise_count(sectors), len(pcs)),
            "wavefronts": wavefronts,
            "conflicts": np.maximum(wavefronts - self._least[pcs], 0),
        }
        for name, values in counts.items():
            self.asked[name] += np.bincount(pcs, values, len(self.asked)).astype(np.int64)

    def arrays(self) -> tuple[Any, Any, Any]:
        """All accesses, all their lines, and the bytes of stores that leave sectors incomplete."""
        self._flush()
        return (
            join(core.ACCESS, self._accesses),
            join(core.LINE, self._lines),
            join(core.BYTES, self._store_bytes),
        )
