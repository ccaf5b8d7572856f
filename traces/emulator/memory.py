"""Address spaces: where the bytes of a thread's address are, and whether it may touch them.

Each space is one flat array of bytes. `locate` turns addresses into offsets of that array and
says which are allowed; the rest of the emulator knows nothing of layouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Address = NDArray[np.int64]
Located = tuple[Address, NDArray[np.bool]]
AnyArray = NDArray[Any]

NOWHERE = np.iinfo(np.int64).min  # limit of a page that no access may touch
WIDEST = 16  # bytes of the widest access; a space is never smaller


class GlobalMemory:
    """Device memory with one allocation per array.

    Allocations begin on pages of their own and a free page follows each, so that running off the
    end of an array is an error and never silently reads the next one.
    """

    BASE = 0x7_0000_0000
    PAGE_BITS = 9

    def __init__(self, arrays: Sequence[AnyArray], image: bytes = b"") -> None:
        page = 1 << self.PAGE_BITS
        self._image = np.frombuffer(image, np.uint8)  # a module's global variables
        self._arrays = {id(array): array for array in (*arrays, self._image)}
        self._offsets: dict[int, int] = {}
        limits = [NOWHERE]  # of each page: the end of the allocation that it belongs to
        for key, array in self._arrays.items():
            self._offsets[key] = len(limits) * page
            pages = -(-array.nbytes // page)
            limits += [len(limits) * page + array.nbytes] * pages + [NOWHERE]
        self._limits = np.array(limits, np.int64)
        self.data = np.zeros(len(limits) * page, np.uint8)
        for key, array in self._arrays.items():
            self._allocation(key)[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)

    def _allocation(self, key: int) -> NDArray[np.uint8]:
        start = self._offsets[key]
        return self.data[start : start + self._arrays[key].nbytes]

    def address(self, array: AnyArray) -> int:
        """Device address of an array's first element."""
        return self.BASE + self._offsets[id(array)]

    @property
    def image_address(self) -> int:
        """Device address of the module's global variables."""
        return self.address(self._image)

    def copy_back(self) -> None:
        """Update the arrays with what the device wrote."""
        for key, array in self._arrays.items():
            content = self._allocation(key).view(array.dtype).reshape(array.shape)
            if array.flags.writeable:
                array[...] = content

    def locate(self, warps: Address, address: Address, size: int) -> Located:
        offset = address - self.BASE
        page = np.minimum(offset.view(np.uint64) >> self.PAGE_BITS, len(self._limits) - 1)
        return offset, offset + size <= self._limits[page]


class SharedMemory:
    """Shared memory, `size` bytes for each CTA of the batch."""

    def __init__(self, ctas: int, warps_per_cta: int, size: int) -> None:
        self._size, self._warps_per_cta = size, warps_per_cta
        self._stride = -(-size // WIDEST) * WIDEST
        self.data = np.zeros(ctas * self._stride + WIDEST, np.uint8)

    def locate(self, warps: Address, address: Address, size: int) -> Located:
        inside = (address >= 0) & (address + size <= self._size)
        return (warps // self._warps_per_cta * self._stride)[:, None] + address, inside


class LocalMemory:
    """Local memory, `size` bytes for each thread of the batch."""

    def __init__(self, warps: int, size: int) -> None:
        self.size = -(-size // WIDEST) * WIDEST
        self.data = np.zeros(warps * 32 * self.size + WIDEST, np.uint8)

    def locate(self, warps: Address, address: Address, size: int) -> Located:
        inside = (address >= 0) & (address + size <= self.size)
        thread = warps[:, None] * 32 + np.arange(32)
        return thread * self.size + address, inside


Memory = GlobalMemory | SharedMemory | LocalMemory
