"""Texture fetches: TLD reads an element, TEX samples at a point (CUDA C++ Programming Guide, K)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import InputError
from ...isa.program import Kind
from ...isa.registers import DIMENSIONS
from .lanes import whole
from .semantics import semantics
from .step import Step, Words

Index = NDArray[np.int64]
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]

ADDRESS_MODES = ("wrap", "clamp", "mirror", "border")  # numbered as CUDA does
FRACTION = 256  # steps of the weights of linear filtering: 8 bits
COMPONENTS = 4


GEOMETRIES = {name: DIMENSIONS[name] for name in ("1D", "2D", "3D")}
GEOMETRY = " ".join(GEOMETRIES)


@dataclass(frozen=True)
class Texture:
    """A texture object over device memory, without mipmaps.

    `shape` counts elements in x, y and z; one-dimensional textures have one number. Elements are
    one to four `channels` of `dtype`; missing channels read as 0. `pitch` is the distance of rows
    in bytes, and slices follow each other.
    """

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    channels: int = 1
    pitch: int = 0  # 0: rows follow each other
    fractions: bool = False  # integers read as numbers of [0, 1] or [-1, 1]
    normalized: bool = False  # coordinates count sizes, not elements
    linear: bool = False  # interpolate
    address_modes: tuple[str, ...] = ("clamp", "clamp", "clamp")

    def __post_init__(self) -> None:
        known = self.dtype.kind in "iuf" and self.dtype.itemsize in (1, 2, 4)
        if not known or self.channels not in (1, 2, 4) or not 1 <= len(self.shape) <= 3:
            raise InputError(
                f"texture of {self.channels} channels of {self.dtype} and shape {self.shape}: "
                "1, 2 or 4 channels of numbers of at most 32 bits in one to three dimensions exist"
            )
        if unknown := set(self.address_modes) - set(ADDRESS_MODES):
            raise InputError(f"texture address mode {unknown}, not {', '.join(ADDRESS_MODES)}")

    @property
    def element_bytes(self) -> int:
        return self.channels * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        return self.pitch or self.shape[0] * self.element_bytes

    @property
    def nbytes(self) -> int:
        """Memory from the first element to the end of the last one."""
        x, *rows = self.shape
        return (int(np.prod(rows, dtype=np.int64)) - 1) * self.row_bytes + x * self.element_bytes


Reader = Callable[[Texture, Bytes, Sequence[Words]], Words]


@semantics("TLD", suffixes=GEOMETRY, modifiers="SCR B LZ", destination=False, predicates=False)
def fetch(s: Step) -> None:
    """Reads the element at integer coordinates; outside the texture there are zeros."""
    read(s, fetched)


@semantics("TEX", suffixes=GEOMETRY, modifiers="SCR B LL LZ", destination=False, predicates=False)
def sample(s: Step) -> None:
    """Samples a texture at a point; there is only one level of detail."""
    read(s, sampled)


def read(s: Step, reader: Reader) -> None:
    """Write the components that the mask names: the first two to the second destination."""
    coordinates, handles = arguments(s)
    components = np.zeros((COMPONENTS, *s.executed.shape), np.uint32)
    for handle in np.unique(handles[s.executed]):
        lanes = s.executed & (handles == handle)
        texture = s.state.launch.textures.get(int(handle))
        if texture is None or len(texture.shape) > len(coordinates):
            row, lane = np.argwhere(lanes)[0]
            s.fault_at(int(row), int(lane), _misfit(handle, texture, len(coordinates)))
        memory = s.state.launch.memory.view(texture.address, texture.nbytes)
        at = coordinates[: len(texture.shape)]
        components[:, lanes] = reader(texture, memory, [c[lanes] for c in at])
    last = s.instruction.operands[-1]
    mask = last.bits if last.kind is Kind.IMMEDIATE else 0xF
    chosen = [components[i] for i in range(COMPONENTS) if mask >> i & 1]
    s.write_to(s.sources[1], *chosen[:2])
    s.write_to(s.sources[0], *chosen[2:])


def _misfit(handle: int, texture: Texture | None, coordinates: int) -> str:
    if texture is None:
        return f"{handle:#x} is no texture"
    return f"texture {handle:#x} has more dimensions than the {coordinates} of the coordinates"


def arguments(s: Step) -> tuple[list[Words], Words]:
    """Coordinates, and the texture's handle: from a constant, or behind the coordinates (B).

    With SCR, coordinates, handle and level of detail are dealt evenly to both sources.
    """
    operands = s.instruction.operands
    geometry = next(o for o in operands if o.text in GEOMETRIES)
    dimensions, bindless = GEOMETRIES[geometry.text], s.has("B")
    count = dimensions + bindless + s.has("LL")
    split = (count + 1) // 2 if s.has("SCR") else dimensions
    first, second = s.sources[2:4]
    values = [
        whole(s.raw(first, i) if i < split else s.raw(second, i - split), s.executed.shape)
        for i in range(dimensions + bindless)
    ]
    if bindless:
        return values[:-1], values[-1]
    bank, word = operands[operands.index(geometry) - 2 : operands.index(geometry)]
    return values, whole(s.constant(bank.bits, 4 * word.bits), s.executed.shape)


def fetched(texture: Texture, memory: Bytes, coordinates: Sequence[Words]) -> Words:
    """Bits of the components at integer coordinates."""
    index = [c.view(np.int32).astype(np.int64) for c in coordinates]
    return bits(texture, elements(texture, memory, index))


def sampled(texture: Texture, memory: Bytes, coordinates: Sequence[Words]) -> Words:
    """Bits of the components at a point: of the nearest element, or interpolated."""
    at = [
        c.view(np.float32).astype(np.float64) * (size if texture.normalized else 1)
        for c, size in zip(coordinates, texture.shape, strict=True)
    ]
    if not texture.linear:
        return bits(texture, wrapped(texture, memory, [np.floor(x) for x in at]))
    lower = [np.floor(x - 0.5) for x in at]
    weights = [
        np.rint((x - 0.5 - low) * FRACTION) / FRACTION for x, low in zip(at, lower, strict=True)
    ]
    total: Any = 0
    for corner in product((0, 1), repeat=len(at)):
        weight = np.prod(
            [w if up else 1 - w for w, up in zip(weights, corner, strict=True)], axis=0
        )
        index = [low + up for low, up in zip(lower, corner, strict=True)]
        total = total + weight * wrapped(texture, memory, index)
    return bits(texture, total)


def wrapped(texture: Texture, memory: Bytes, index: Sequence[Doubles]) -> NDArray[Any]:
    """Components of elements whose coordinates may be outside the texture."""
    places = zip(index, texture.shape, texture.address_modes, strict=False)
    return elements(texture, memory, [wrap(i, size, mode) for i, size, mode in places])


def wrap(index: Doubles, size: int, mode: str) -> Index:
    """Coordinate of an element inside the texture, or outside for a border."""
    i = np.clip(np.nan_to_num(index), -(2**31), 2**31).astype(np.int64)
    match mode:
        case "clamp":
            return np.clip(i, 0, size - 1)
        case "wrap":
            return i % size
        case "mirror":
            return np.minimum(i % (2 * size), 2 * size - 1 - i % (2 * size))
        case _:
            return i


def elements(texture: Texture, memory: Bytes, index: Sequence[Index]) -> NDArray[Any]:
    """Components of elements, shape (4, lanes), as numbers; zeros outside the texture."""
    nowhere = np.zeros_like(index[0])
    x, y, z = (*index, nowhere, nowhere)[:3]
    inside = np.all([(i >= 0) & (i < n) for i, n in zip(index, texture.shape, strict=True)], axis=0)
    rows = texture.shape[1] if len(texture.shape) > 1 else 1
    offset = (z * rows + y) * texture.row_bytes + x * texture.element_bytes
    first = np.where(inside, offset, 0)
    size = texture.dtype.itemsize
    found = np.zeros((COMPONENTS, len(first)), np.float64)
    for channel in range(texture.channels):
        places = (first + channel * size)[:, None] + np.arange(size)
        numbers = memory[places].view(texture.dtype)[:, 0].astype(np.float64)
        found[channel] = np.where(inside, scaled(texture, numbers), 0)
    return found


def scaled(texture: Texture, numbers: Doubles) -> Doubles:
    """Integers as fractions of their largest value, if the texture is read so."""
    if not texture.fractions or texture.dtype.kind == "f":
        return numbers
    return np.maximum(numbers / np.iinfo(texture.dtype).max, -1)


def bits(texture: Texture, numbers: Doubles) -> Words:
    """Registers that hold numbers: as integers, or as binary32."""
    if texture.fractions or texture.dtype.kind == "f":
        return numbers.astype(np.float32).view(np.uint32)
    return numbers.astype(np.int64).astype(np.uint32)
