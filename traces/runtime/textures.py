"""Texture objects as programs describe them: the structures of CUDA's `driver_types.h`."""

from __future__ import annotations

import struct

import numpy as np

from ..emulator import Texture, UnsupportedError
from ..emulator.texture import ADDRESS_MODES

LINEAR, PITCHED = 2, 3  # cudaResourceType
FORMATS = {0: "i", 1: "u", 2: "f"}  # cudaChannelFormatKind
RESOURCE = struct.Struct("<i4xQ5i4x3Q")  # type; address, bits of x y z w, kind; three sizes
SAMPLING = struct.Struct("<3i2i4x16xi")  # address modes, filter, read mode; normalised


def texture(resource: bytes, sampling: bytes) -> Texture:
    """The texture that a cudaResourceDesc and a cudaTextureDesc describe.

    Raises UnsupportedError for arrays and mipmaps, InputError for formats that do not exist.
    """
    kind, address, *bits, format_, first, second, third = RESOURCE.unpack_from(resource)
    *modes, linear, fractions, normalized = SAMPLING.unpack_from(sampling)
    if kind not in (LINEAR, PITCHED):
        raise UnsupportedError(
            "the program makes a texture of an array; only textures over linear and pitched "
            "memory are emulated"
        )
    dtype = np.dtype(f"{FORMATS.get(format_, 'V')}{bits[0] // 8}")
    channels = sum(b > 0 for b in bits)
    shape = (first // (channels * dtype.itemsize),) if kind == LINEAR else (first, second)
    return Texture(
        address,
        shape,
        dtype,
        channels,
        pitch=0 if kind == LINEAR else third,
        fractions=bool(fractions),
        normalized=bool(normalized),
        linear=bool(linear),
        address_modes=tuple(ADDRESS_MODES[mode] for mode in modes),
    )
