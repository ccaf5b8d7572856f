"""The file behind a native trace: blocks, one after the other, and behind them a head.

The head says what the blocks are; it is found through the trailer, which a file that was cut short
does not have. Nothing is decompressed beyond its bounds or used before its digest was checked.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import zstandard

from ..isa.errors import InputError

VERSION: Final = 3
MAGIC: Final = b"warptrace %d\n" % VERSION
OLDER: Final = b"PK\x03\x04"  # of versions 1 and 2, which were ZIP archives
TRAILER: Final = struct.Struct("<I16s")  # bytes of the compressed head, its digest
LEVEL: Final = 19  # of zstd, for blocks
# Of the head: a hundred instructions of 16 bytes are more like each other than like text.
HEAD_FILTERS: Final = [
    {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}
]
BLOCK_LIMIT: Final = 1 << 31  # bytes that a block may decompress to
HEAD_LIMIT: Final = 1 << 28  # and the head
REMEDY: Final = "the file is damaged or was cut short: copy it again or record it again"
# What the layers below raise on bytes that are not what they should be.
DAMAGE: Final = (
    InputError,
    lzma.LZMAError,
    zstandard.ZstdError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
)


class WrongKindError(InputError):
    """The file is not damaged but unsuitable; the message says what to do."""


class Stored(NamedTuple):
    """Where a block is, and the digest of its decompressed bytes."""

    start: int
    size: int  # bytes in the file
    digest: bytes


def digest_of(data: bytes) -> bytes:
    """The first half of its SHA-256."""
    return hashlib.sha256(data).digest()[:16]


class Output:
    """A file that is being written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.write(MAGIC)

    def add(self, data: bytes) -> int:
        """Append a block; returns the bytes it takes."""
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(data)
        self._stream.write(packed)
        return len(packed)

    def finish(self, head: bytes) -> None:
        """Append the head, which makes the file whole."""
        packed = lzma.compress(head, lzma.FORMAT_RAW, filters=HEAD_FILTERS)
        self._stream.write(packed)
        self._stream.write(TRAILER.pack(len(packed), digest_of(head)))


class Input:
    """A file that was written; raises what is in `DAMAGE`."""

    def __init__(self, path: Path) -> None:
        """Check the file's first bytes. Raises WrongKindError."""
        self._path = path
        try:
            start = self._read(0, len(MAGIC))
        except OSError as error:
            raise WrongKindError(f"cannot be opened: {error.strerror}") from error
        older = "1 or 2" if start.startswith(OLDER) else _version(start)
        if older:
            raise WrongKindError(
                f"a warptrace of version {older}, expected {VERSION}: use the warpwise release "
                "that wrote it, or record it again with this one"
            )
        if start != MAGIC:
            raise WrongKindError(f"not a warptrace: it begins with {start!r}, expected {MAGIC!r}")

    def head(self) -> bytes:
        """The head, decompressed."""
        end = self._path.stat().st_size - TRAILER.size
        size, digest = TRAILER.unpack(self._read(max(end, 0), TRAILER.size))
        if size > end - len(MAGIC):
            raise InputError(f"{size} bytes announced, in a file of {end + TRAILER.size}")
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=HEAD_FILTERS)
        head = unpacker.decompress(self._read(end - size, size), HEAD_LIMIT + 1)
        if len(head) > HEAD_LIMIT:
            raise InputError(f"it has over {HEAD_LIMIT} bytes, expected at most that")
        return _checked(head, digest)

    def block(self, place: Stored) -> bytes:
        """A block, decompressed."""
        packed = self._read(place.start, place.size)
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= BLOCK_LIMIT:
            raise InputError(f"it announces {size} bytes, expected at most {BLOCK_LIMIT}")
        return _checked(zstandard.ZstdDecompressor().decompress(packed), place.digest)

    def _read(self, start: int, size: int) -> bytes:
        with open(self._path, "rb") as stream:
            stream.seek(start)
            return stream.read(size)


def _version(start: bytes) -> str:
    """The version that is not ours, or nothing."""
    found = re.match(rb"warptrace (\d+)", start)
    return found[1].decode() if found and start != MAGIC else ""


def _checked(data: bytes, digest: bytes) -> bytes:
    if digest_of(data) != digest:
        raise InputError(f"its digest is {digest_of(data).hex()}, expected {digest.hex()}")
    return data
