"""What is in a trace: sizes, opcodes, memory footprint, divergence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..isa.program import Space
from .kernel import WARP_SIZE, Kernel

SECTOR_BYTES: Final = 32
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
        *(kernel.program.control_bits, kernel.n_ctas, warps),
    )
    code = kernel.program.instructions
    executions = np.zeros(len(code), np.int64)
    addressed = np.array([bool(inst.access) for inst in code])
    in_memory = np.array([bool(inst.access) and inst.space in GLOBAL for inst in code])
    sectors: set[int] = set()
    for cta in map(kernel.load_cta, range(kernel.n_ctas)):
        for warp in cta.warps:
            pcs, active = warp.path.pcs, warp.path.active
            executions += np.bincount(pcs, minlength=len(code))
            found.active_lanes += int(np.bitwise_count(active).sum())
            rows = in_memory[pcs[addressed[pcs]]]
            masks = warp.path.executed[addressed[pcs]][rows]
            sectors.update(_sectors(warp.accesses.addresses[rows], masks))
    for inst, count in zip(code, map(int, executions), strict=True):
        found.opcodes[inst.opcode] += count
    found.instructions = int(executions.sum())
    found.footprint_bytes = len(sectors) * SECTOR_BYTES
    return found


def _sectors(addresses: NDArray[np.int64], masks: NDArray[np.uint32]) -> list[int]:
    """Numbers of the sectors in which an executing lane's access begins."""
    lanes = masks[:, np.newaxis] >> np.arange(WARP_SIZE, dtype=np.uint32) & 1
    numbers: list[int] = np.unique(addresses[lanes.astype(bool)] // SECTOR_BYTES).tolist()
    return numbers
