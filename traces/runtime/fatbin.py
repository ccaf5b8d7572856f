"""Cubins inside the fat binary that nvcc embeds in a program.

The format is not documented; the fields below were found by comparing programs that nvcc 13.0 built
for several architectures and compression modes with the cubins that went into them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ...isa.errors import InputError

MAGIC = 0xBA55ED50
CONTAINER = struct.Struct("<IHHQ")  # magic, version, bytes of this header, bytes after it
# kind, version, bytes of this header, padded payload, compressed payload, arch, flags, plain size
ENTRY = struct.Struct("<HHIQI8xI8xQ8xQ")
CUBIN = 2  # kind; the other one seen is 1, PTX
LZ4, ZSTD = 0x2000, 0x8000  # flags


@dataclass(frozen=True)
class Image:
    """One entry: machine code or PTX for compute capability `arch`, such as 86."""

    is_cubin: bool
    arch: int
    flags: int
    payload: bytes
    plain_bytes: int

    def content(self) -> bytes:
        """The payload, decompressed."""
        if self.flags & ZSTD:
            import zstandard

            return zstandard.ZstdDecompressor().decompress(self.payload, self.plain_bytes)
        if self.flags & LZ4:
            import pyarrow

            codec = pyarrow.Codec("lz4_raw")
            return bytes(codec.decompress(self.payload, self.plain_bytes))
        return self.payload


def images(fat_binary: bytes) -> Iterator[Image]:
    """All entries of a fat binary; raises InputError if it is not one."""
    try:
        magic, _, start, length = CONTAINER.unpack_from(fat_binary)
        if magic != MAGIC or start + length > len(fat_binary):
            raise InputError("the program's fat binary is damaged, or of an unknown format")
        at, end = start, start + length
        while at < end:
            kind, _, header, padded, packed, arch, flags, plain = ENTRY.unpack_from(fat_binary, at)
            if header < ENTRY.size:
                raise InputError("the program's fat binary has an entry of an unknown format")
            size = packed if flags & (LZ4 | ZSTD) else padded
            payload = fat_binary[at + header : at + header + size]
            yield Image(kind == CUBIN, arch, flags, payload, plain)
            at += header + padded
    except struct.error as error:
        raise InputError("the program's fat binary ends too early") from error


def cubin_for(fat_binary: bytes, arch: str) -> bytes:
    """The cubin that a GPU of `arch` ("sm_86") runs: the newest of its generation.

    Raises InputError that names what is there instead.
    """
    wanted, found = int(arch.removeprefix("sm_")), list(images(fat_binary))
    fitting = [i for i in found if i.is_cubin and i.arch // 10 == wanted // 10 and i.arch <= wanted]
    if not fitting:
        there = ", ".join(f"{'sm' if i.is_cubin else 'PTX of compute'}_{i.arch}" for i in found)
        raise InputError(
            f"the program holds no code for {arch}, only {there or 'nothing'}; "
            f"compile it with nvcc -arch={arch}, or choose another --gpu"
        )
    return max(fitting, key=lambda image: image.arch).content()
