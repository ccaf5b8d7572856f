"""What is in a trace: sizes, opcodes, memory footprint, divergence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..isa.program import Space
from .kernel import WARP_SIZE, Kernel, lanes_of

SECTOR_BYTES: Final = 32
PAGE_SECTORS: Final = 4096
GLOBAL: Final = (Space.GLOBAL, Space.GENERIC)


@dataclass
class KernelInfo:
    """Counts of one kernel; instructions are dynamic ones of warps."""

    name: str
    launch: int
    arch: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    control_bits: bool
    copies: int  # by the host, since the launch before
    copied_bytes: int
    ctas: int
    warps: int
    instructions: int = 0
    active_lanes: int = 0
    opcodes: Counter[str] = field(default_factory=Counter)
    footprint_bytes: int = 0  # of global memory, in sectors

    @property
    def lanes_active(self) -> float:
        """Mean share of a warp's lanes that take part; 1: no divergence."""
        return self.active_lanes / max(self.instructions * WARP_SIZE, 1)


def info(kernel: Kernel) -> KernelInfo:
    """Go through all CTAs of a kernel once."""
    warps = kernel.n_ctas * kernel.warps_per_cta
    found = KernelInfo(
        *(kernel.name, kernel.launch, kernel.program.arch, kernel.grid, kernel.block),
        *(kernel.program.control_bits, len(kernel.copies), sum(c.size for c in kernel.copies)),
        *(kernel.n_ctas, warps),
    )
    code = kernel.program.instructions
    executions = np.zeros(len(code), np.int64)
    addressed = np.array([bool(inst.access) for inst in code])
    in_memory = np.array([bool(inst.access) and inst.space in GLOBAL for inst in code])
    footprint = _Footprint()
    for cta in map(kernel.load_cta, range(kernel.n_ctas)):
        for warp in cta.warps:
            pcs, active = warp.path.pcs, warp.path.active
            executions += np.bincount(pcs, minlength=len(code))
            found.active_lanes += int(np.bitwise_count(active).sum())
            has_row = addressed[pcs]
            rows = in_memory[pcs[has_row]]
            footprint.add(warp.accesses.addresses[rows], warp.path.executed[has_row][rows])
    for inst, count in zip(code, map(int, executions), strict=True):
        found.opcodes[inst.opcode] += count
    found.instructions = int(executions.sum())
    found.footprint_bytes = footprint.sectors * SECTOR_BYTES
    return found


class _Footprint:
    """The sectors in which an executing lane's access begins: a flag each, in pages."""

    def __init__(self) -> None:
        self._pages: dict[int, NDArray[np.bool_]] = {}

    def add(self, addresses: NDArray[np.int64], masks: NDArray[np.uint32]) -> None:
        """Take rows of addresses with their executing lanes."""
        sectors = np.unique(addresses[lanes_of(masks)] // SECTOR_BYTES)
        pages, places = np.divmod(sectors, PAGE_SECTORS)
        numbers, starts = np.unique(pages, return_index=True)
        for page, part in zip(numbers.tolist(), np.split(places, starts)[1:], strict=True):
            if page not in self._pages:
                self._pages[page] = np.zeros(PAGE_SECTORS, np.bool_)
            self._pages[page][part] = True

    @property
    def sectors(self) -> int:
        """How many there are."""
        return sum(int(page.sum()) for page in self._pages.values())
