"""A `Kernel`: launch shape, program and what each warp did. The only input of the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..isa.program import Access, Program, Space
from .copies import Copy, carried

WARP_SIZE = 32
# Where generic addresses of shared and of local memory begin, and how many there are of each.
SHARED_WINDOW, LOCAL_WINDOW, WINDOW_BYTES = 0x3_0000_0000, 0x1_0200_0000, 1 << 24


def lanes_of(masks: NDArray[np.uint32]) -> NDArray[np.bool]:
    """Shape (masks, 32): whether the bit of this lane is set."""
    octets = np.ascontiguousarray(masks, "<u4").view(np.uint8).reshape(-1, 4)
    return np.unpackbits(octets, axis=1, bitorder="little").view(np.bool)


@dataclass(frozen=True, eq=False)
class Path:
    """The dynamic instructions of a warp, in the order it executed them; warps may share one."""

    pcs: NDArray[np.uint32]  # index of the static instruction (not bytes), shape (n,)
    active: NDArray[np.uint32]  # lanes that take part, bit i = lane i, shape (n,)
    executed: NDArray[np.uint32]  # active lanes whose guard predicate holds, shape (n,)


@dataclass(frozen=True, eq=False)
class Accesses:
    """Addresses of a warp: one row for each dynamic instruction that addresses memory, in order.

    Rows exist for instructions whose `access` is not NONE, also when no lane executes. `shared`
    holds the second address of LDGSTS rows and is empty for programs without them.
    """

    addresses: NDArray[np.int64]  # bytes, shape (rows, 32); 0 where the lane does not execute
    shared: NDArray[np.int64]  # shape (rows, 32) or (0, 32)


class SharedWindow:
    """Where a device has the generic addresses of shared memory; a `base` of 0 is not known."""

    def __init__(self, program: Program, base: int) -> None:
        self._base = base
        addressed = (i.access != Access.NONE for i in program.instructions)
        self._addressed = np.fromiter(addressed, bool, len(program))
        generic = (i.space == Space.GENERIC for i in program.instructions)
        self._generic = np.fromiter(generic, bool, len(program))

    def to_ours(self, addresses: NDArray[np.int64], pcs: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Addresses with those of the window moved to ours.

        One row for each instruction of `pcs` that addresses memory.
        """
        if not self._base or not self._generic.any():
            return addresses
        offsets = addresses - self._base
        generic = self._generic[pcs[self._addressed[pcs]], None]
        inside = generic & (offsets >= 0) & (offsets < WINDOW_BYTES)
        return np.where(inside, offsets + SHARED_WINDOW, addresses)


@dataclass(frozen=True, eq=False)
class Warp:
    """One warp's share of a CTA."""

    path: Path
    accesses: Accesses


@dataclass(frozen=True, eq=False)
class Cta:
    """One thread block: its linear number (x fastest) and its warps in order."""

    number: int
    warps: tuple[Warp, ...]


@dataclass(frozen=True, eq=False)
class Kernel:
    """One launch. `load_cta(i)` gives CTA i; readers load lazily, so memory stays bounded."""

    program: Program
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    load_cta: Callable[[int], Cta] = field(repr=False)
    launch: int = 0
    registers: int = 0  # per thread; 0: take the program's
    shared_bytes: int = 0  # static and dynamic, per CTA
    warm: frozenset[str] = frozenset()  # of "icache", "l1i", "const", "l1": every access hits
    hash: str = ""  # content hash of the trace it came from
    clock_reads: bool = False  # report clock reads (hand-written SASS)
    copies: tuple[Copy, ...] = ()  # by the host since the launch before

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def n_ctas(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def threads(self) -> int:
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def warps_per_cta(self) -> int:
        return -(-self.threads // WARP_SIZE)

    def cta_index(self, number: int) -> tuple[int, int, int]:
        """(x, y, z) of CTA `number`."""
        x, y, _ = self.grid
        return number % x, number // x % y, number // (x * y)


def kept(kernels: Iterable[Kernel], wanted: Callable[[Kernel], bool]) -> tuple[Kernel, ...]:
    """The launches that are wanted; copies before one that is left out come before the next."""
    launches = carried((kernel, kernel.copies, wanted(kernel)) for kernel in kernels)
    return tuple(replace(kernel, copies=copies) for kernel, copies in launches)


@dataclass(frozen=True)
class Trace:
    """The kernels of one application, in launch order."""

    kernels: tuple[Kernel, ...]
    source: str = ""  # where it came from, for messages
    producer: str = ""

    @property
    def hash(self) -> str:
        return self.kernels[0].hash if self.kernels else ""
