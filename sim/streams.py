"""The dynamic side of a kernel, turned into the flat arrays that compiled stages read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from ..traces.kernel import Cta, Kernel, Path, Warp
from .compiled import allocate, join
from .core import instruction as core
from .machine.schema import Gpu
from .sm import coalescer


@dataclass
class _Placed:
    """A path in the shared array, and what about it all its warps have in common."""

    path: Path
    first: int  # place of its first element
    rows: NDArray[np.intp]  # elements that address memory
    executed: NDArray[np.uint32]  # their lanes
    pcs: NDArray[np.uint32]  # and their instructions
    clocks: int  # clock reads
    uses: int = 0


class Streams:
    """What each warp executes: paths, addresses by line and sector, places for clock reads.

    A `KERNEL` record points into these arrays, so they must outlive it.
    """

    def __init__(self, kernel: Kernel, gpu: Gpu, table: NDArray[Any]) -> None:
        self.table = table
        self._placed: dict[int, _Placed] = {}
        self._n_pcs = 0
        self._coalesce = _Coalescer(kernel, gpu, table)
        self.streams = allocate(core.STREAM, kernel.n_ctas * kernel.warps_per_cta)
        clocks = 0
        for number in range(kernel.n_ctas):
            clocks = self._add_cta(kernel, kernel.load_cta(number), clocks)
        self.clocks = np.zeros(clocks, np.int64)
        self.pcs = self._all_pcs()
        self.accesses, self.lines = self._coalesce.arrays()

    def _add_cta(self, kernel: Kernel, cta: Cta, clocks: int) -> int:
        """Place the warps of a CTA; returns where the next one's clock reads begin."""
        placed = [self._place(warp.path) for warp in cta.warps]
        rows = self.streams[cta.number * kernel.warps_per_cta :][: len(placed)]
        rows["path"] = [p.first for p in placed]
        rows["length"] = [len(p.path.pcs) for p in placed]
        rows["access"] = self._coalesce.add(cta, placed)
        rows["clock"] = clocks + np.cumsum([0] + [p.clocks for p in placed[:-1]])
        return clocks + sum(p.clocks for p in placed)

    def _place(self, path: Path) -> _Placed:
        """A path that warps share is stored once."""
        placed = self._placed.get(id(path))
        if placed is None:
            rows = np.flatnonzero(self.table["accesses"][path.pcs])
            clocks = int(self.table["clock"][path.pcs].sum())
            pcs = path.pcs[rows]
            placed = _Placed(path, self._n_pcs, rows, path.executed[rows], pcs, clocks)
            self._placed[id(path)] = placed
            self._n_pcs += len(path.pcs)
        placed.uses += 1
        return placed

    def _all_pcs(self) -> NDArray[np.int32]:
        return np.concatenate([p.path.pcs for p in self._placed.values()]).astype(np.int32)

    @property
    def weights(self) -> NDArray[np.int64]:
        """Dynamic warp-instructions of each static instruction."""
        weights = np.zeros(len(self.table), np.int64)
        for placed in self._placed.values():
            weights += placed.uses * np.bincount(placed.path.pcs, minlength=len(weights))
        return weights

    @property
    def warp_inst(self) -> int:
        """Dynamic warp-instructions."""
        return sum(p.uses * len(p.path.pcs) for p in self._placed.values())

    @property
    def thread_inst(self) -> int:
        """The same, counted for each active thread."""
        return self._lanes([p.path.active for p in self._placed.values()])

    @property
    def predicated_on_inst(self) -> int:
        """The same, counted for each thread whose guard holds."""
        return self._lanes([p.path.executed for p in self._placed.values()])

    def _lanes(self, masks: list[NDArray[np.uint32]]) -> int:
        """Lanes of one mask a path element, over all warps."""
        uses = [p.uses for p in self._placed.values()]
        return sum(
            n * int(np.bitwise_count(mask).sum()) for n, mask in zip(uses, masks, strict=True)
        )

    @property
    def asked(self) -> NDArray[Any]:
        """What the accesses of each static instruction come to; fields of `ASKED`."""
        return self._coalesce.asked


# Of an instruction: accesses with a lane, their sectors, cycles of the data stage, and how many of
# these cycles more than an access of its width without conflicts needs.
ASKED = np.dtype([(name, "i8") for name in ("requests", "sectors", "wavefronts", "conflicts")])
BATCH = 8192  # rows to coalesce at a time: calls per CTA would take longer than the work


class _Coalescer:
    """Collects the coalesced accesses of one CTA after another."""

    def __init__(self, kernel: Kernel, gpu: Gpu, table: NDArray[Any]) -> None:
        self._name = kernel.name
        self._accesses: list[Any] = []
        self._lines: list[Any] = []
        self._n_accesses = 0
        self._n_lines = 0
        self._waiting: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._n_waiting = 0
        self._data_paths = np.ascontiguousarray(table["path"])
        widths = [inst.width for inst in kernel.program.instructions]
        self._sizes = np.maximum(np.array(widths, np.int64) // 8, 1)
        l1d = gpu.sm.l1d
        self._geometry = (l1d.sets, l1d.data_banks, l1d.bank_bytes.bit_length() - 1)
        self._rooms = coalescer.rooms()
        self._least = table["wavefronts"].astype(np.int64)
        self.asked = np.zeros(len(table), ASKED)

    def add(self, cta: Cta, placed: list[_Placed]) -> list[int]:
        """Take the accesses of a CTA; returns the first row of each of its warps."""
        firsts = []
        for warp, p in zip(cta.warps, placed, strict=True):
            firsts.append(self._n_accesses)
            self._n_accesses += len(p.rows)
            self._n_waiting += len(p.rows)
            addresses = self._addresses(warp, len(p.rows))
            self._waiting.append((addresses, p.executed, p.pcs))
        if self._n_waiting >= BATCH:
            self._flush()
        return firsts

    def _flush(self) -> None:
        """Coalesce what waits."""
        if self._n_waiting:
            addresses, masks, pcs = zip(*self._waiting, strict=True)
            self._add_rows(np.concatenate(addresses), np.concatenate(masks), np.concatenate(pcs))
        self._waiting = []
        self._n_waiting = 0

    def _addresses(self, warp: Warp, rows: int) -> NDArray[np.int64]:
        """A warp's addresses, after a check that there are as many rows as accesses."""
        addresses = warp.accesses.addresses
        if len(addresses) != rows:
            raise InputError(
                f"kernel {self._name}: a warp has addresses for {len(addresses)} memory "
                f"instructions and executes {rows}; record the trace again"
            )
        return addresses

    def _add_rows(
        self, addresses: NDArray[np.int64], masks: NDArray[np.uint32], pcs: NDArray[np.uint32]
    ) -> None:
        accesses = allocate(core.ACCESS, len(pcs))
        most = 2 * int(np.bitwise_count(masks).astype(np.int64).sum())  # two sectors a lane
        lines = allocate(core.LINE, most)
        n = coalescer.coalesce(
            self._rooms,
            addresses,
            masks,
            self._data_paths[pcs],
            self._sizes[pcs],
            *self._geometry,
            accesses,
            lines,
        )
        self._count(pcs, masks, accesses, lines["sectors"][:n])
        accesses["first"] += self._n_lines
        self._accesses.append(accesses)
        self._lines.append(lines[:n].copy())
        self._n_lines += n

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

    def arrays(self) -> tuple[Any, Any]:
        """All accesses and all their lines."""
        self._flush()
        return join(core.ACCESS, self._accesses), join(core.LINE, self._lines)
