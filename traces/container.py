"""The file behind a native trace: blocks, one after the other, and behind them a head.

The head says what the blocks are; it is found through the trailer, which a file that was cut short
does not have. Nothing is used before its digest was checked.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path as FilePath
from typing import BinaryIO, Final, NamedTuple

from ..isa.errors import InputError

VERSION: Final = 4
MAGIC: Final = b"warptrace %d\n" % VERSION
OLDER: Final = b"PK\x03\x04"  # of versions 1 and 2, which were ZIP archives
DIGEST_BYTES: Final = 16
TRAILER: Final = struct.Struct(f"<I{DIGEST_BYTES}s")  # bytes of the head, its digest
REMEDY: Final = "the file is damaged or was cut short: copy it again or record it again"
# What the layers below raise on bytes that are not what they should be.
DAMAGE: Final = (
    InputError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
)


class WrongKindError(InputError):
    """The file is not damaged but unsuitable; the message says what to do."""


class Stored(NamedTuple):
    """Where a block is, and its digest."""

    start: int
    size: int  # bytes in the file
    digest: bytes


def digest_of(data: bytes) -> bytes:
    """The first half of its SHA-256."""
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


class Output:
    """A file that is being written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.write(MAGIC)

    def add(self, data: bytes) -> None:
        """Append a block."""
        self._stream.write(data)

    def finish(self, head: bytes) -> None:
        """Append the head, which makes the file whole."""
        self._stream.write(head)
        self._stream.write(TRAILER.pack(len(head), digest_of(head)))


class Input:
    """A file that was written; raises what is in `DAMAGE`."""

    def __init__(self, path: FilePath) -> None:
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
        """The head, checked."""
        end = self._path.stat().st_size - TRAILER.size
        size, digest = TRAILER.unpack(self._read(max(end, 0), TRAILER.size))
        if size > end - len(MAGIC):
            raise InputError(f"{size} bytes announced, in a file of {end + TRAILER.size}")
        return _checked(self._read(end - size, size), digest)

    def block(self, place: Stored) -> bytes:
        """A block, checked."""
        return _checked(self._read(place.start, place.size), place.digest)

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
