"""Address spaces: where the bytes of a thread's address are, and whether it may touch them.

Each space is one flat array of bytes. `locate` turns the addresses of the lanes that execute into
offsets of that array, 0 for the others, and names the first lane, counted through all warps, whose
access is misaligned or outside what it may touch, -1 if none. The rest of the emulator knows
nothing of layouts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import InputError
from .errors import EmulationError
from .lanes import place_in_pages, place_in_windows

Address = NDArray[np.int64]
Lanes = NDArray[np.bool]
Located = tuple[Address, int]

NOWHERE = np.iinfo(np.int64).min  # limit of a page that no access may touch
WIDEST = 16  # bytes of the widest access; a space is never smaller


class GlobalMemory:
    """Device memory: allocations that come and go.

    Allocations begin on pages of their own and a free page follows each, so that running off the
    end of one is an error and never silently reads the next. Freed pages may be used again.
    """

    BASE = 0x7_0000_0000
    PAGE_BITS = 9
    PAGE_BYTES = 1 << PAGE_BITS

    def __init__(self, watched: bool = False) -> None:
        self._allocations: dict[int, int] = {}  # first page -> bytes
        self._limits = np.full(64, NOWHERE, np.int64)  # of each page: where its allocation ends
        self.data = np.zeros(64 * self.PAGE_BYTES, np.uint8)
        self.written = np.zeros(len(self.data), np.bool) if watched else None

    def allocate(self, nbytes: int) -> int:
        """Address of a new, zeroed allocation."""
        if nbytes < 0:
            raise InputError(f"cannot allocate {nbytes} bytes of device memory")
        first, pages = self._gap(nbytes), self._pages(nbytes)
        self._grow(first + pages + 1)
        self._allocations[first] = nbytes
        start = first * self.PAGE_BYTES
        self._limits[first : first + pages] = start + nbytes
        self.data[start : start + nbytes] = 0
        if self.written is not None:
            self.written[start : start + nbytes] = False
        return self.BASE + start

    def free(self, address: int) -> None:
        """End an allocation; to touch it afterwards is an error."""
        first, inside = divmod(address - self.BASE, self.PAGE_BYTES)
        if inside or first not in self._allocations:
            raise EmulationError(f"address {address:#x} to be freed is not that of an allocation")
        pages = self._pages(self._allocations.pop(first))
        self._limits[first : first + pages] = NOWHERE

    def write(self, address: int, content: NDArray[np.uint8] | int, nbytes: int) -> None:
        """Put bytes, or one byte many times, into one allocation."""
        self.view(address, nbytes)[:] = content
        if self.written is not None:
            self.written[address - self.BASE :][:nbytes] = True

    def view(self, address: int, nbytes: int) -> NDArray[np.uint8]:
        """Bytes of one allocation, which stay valid until the next `allocate`."""
        offset = address - self.BASE
        page = offset >> self.PAGE_BITS
        inside = 0 <= page < len(self._limits) and offset + nbytes <= self._limits[page]
        if nbytes < 0 or not inside:
            raise EmulationError(
                f"{nbytes} bytes at device address {address:#x} are outside any allocation"
            )
        return self.data[offset : offset + nbytes]

    def _pages(self, nbytes: int) -> int:
        return max(1, -(-nbytes // self.PAGE_BYTES))

    def _gap(self, nbytes: int) -> int:
        """First page of the lowest gap that holds an allocation and its guard page."""
        end = 1
        for first in sorted(self._allocations):
            if first - end > self._pages(nbytes):
                break
            end = first + self._pages(self._allocations[first]) + 1
        return end

    def _grow(self, pages: int) -> None:
        """Have at least so many pages; doubling keeps the copies few."""
        old = len(self._limits)
        if pages <= old:
            return
        pages = max(pages, 2 * old)
        self._limits = extended(self._limits, pages, NOWHERE)
        self.data = extended(self.data, pages * self.PAGE_BYTES, 0)
        if self.written is not None:
            self.written = extended(self.written, len(self.data), False)

    def locate(self, warps: Address, address: Address, lanes: Lanes, size: int) -> Located:
        located: Located = place_in_pages(
            address, lanes, size, self.BASE, self.PAGE_BITS, self._limits
        )
        return located


def extended(array: NDArray[Any], length: int, value: int) -> NDArray[Any]:
    """A longer copy of an array, filled up with a value."""
    longer = np.full(length, value, array.dtype)
    longer[: len(array)] = array
    return longer


class SharedMemory:
    """Shared memory, `size` bytes for each CTA of the batch."""

    def __init__(self, ctas: int, warps_per_cta: int, size: int, watched: bool = False) -> None:
        self._size, self._warps_per_cta = size, warps_per_cta
        self._stride = -(-size // WIDEST) * WIDEST
        self.data = np.zeros(ctas * self._stride + WIDEST, np.uint8)
        self.written = np.zeros(len(self.data), np.bool) if watched else None

    def locate(self, warps: Address, address: Address, lanes: Lanes, size: int) -> Located:
        starts = warps // self._warps_per_cta * self._stride
        located: Located = place_in_windows(address, lanes, size, self._size, starts, 0)
        return located


class LocalMemory:
    """Local memory, `size` bytes for each thread of the batch."""

    def __init__(self, warps: int, size: int, watched: bool = False) -> None:
        self.size = -(-size // WIDEST) * WIDEST
        self.data = np.zeros(warps * 32 * self.size + WIDEST, np.uint8)
        self.written = np.zeros(len(self.data), np.bool) if watched else None

    def locate(self, warps: Address, address: Address, lanes: Lanes, size: int) -> Located:
        starts = warps * 32 * self.size
        located: Located = place_in_windows(address, lanes, size, self.size, starts, self.size)
        return located


Memory = GlobalMemory | SharedMemory | LocalMemory
