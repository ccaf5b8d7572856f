"""Lines of a text file that nobody vouches for, compressed or not."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import zstandard

from ..isa.errors import InputError

COMPRESSIONS: Final = (".gz", ".xz", ".zst")
LIMIT: Final = 1 << 14  # bytes of a line
BLANKS: Final = 1000  # blank lines in a row: a gigabyte of them packs into a kilobyte
MEMORY: Final = 1 << 28  # bytes that a decompressor may take; `xz -9` takes 65 MiB
CHUNK: Final = 1 << 16
DAMAGE: Final = (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)
REMEDY: Final = "the file is damaged or was cut short: copy it again or trace it again"


class Lines:
    """Iterates over the lines that are not blank; decompresses no more than it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        try:
            self._stream = _open(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be opened: {error.strerror}") from error

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for _ in range(BLANKS):
            raw = self._read()
            if not raw:
                break
            self.number += 1
            if len(raw) > LIMIT:
                self.fail(f"a line of over {LIMIT} bytes found")
            if not raw.isascii():
                self.fail("a character outside ASCII found")
            if line := raw.decode("ascii").strip():
                return line
        else:
            self.fail(f"{BLANKS} blank lines in a row found")
        self._stream.close()
        raise StopIteration

    def close(self) -> None:
        """Read no more."""
        self._stream.close()

    def take(self) -> str:
        """The next line. Raises InputError at the end of the file."""
        line = next(self, None)
        if line is None:
            raise InputError(f"{self.path}: ends after line {self.number}; {REMEDY}")
        return line

    def fail(self, reason: str) -> NoReturn:
        """Raise an error that names the current line."""
        raise InputError(f"{self.path}:{self.number}: {reason}")

    def _read(self) -> bytes:
        if self._stream.closed:
            return b""
        try:
            data: bytes = self._stream.readline(LIMIT + 1)
        except DAMAGE as error:
            raise InputError(f"{self.path}: after line {self.number}: {error}; {REMEDY}") from error
        return data


def _open(path: Path) -> Any:
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path)
        case ".xz":
            return io.BufferedReader(_Xz(open(path, "rb")))
        case ".zst":
            unpacker = zstandard.ZstdDecompressor(max_window_size=MEMORY)
            return io.BufferedReader(
                unpacker.stream_reader(open(path, "rb"), read_across_frames=True)
            )
    return open(path, "rb")


class _Xz(io.RawIOBase):
    """Decompresses one `.xz` stream after the other, in bounded memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._packed = stream
        self._unpacker = self._new()

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data.lstrip(b"\0") or self._packed.read(CHUNK)
                if not rest.strip(b"\0"):
                    return 0
                self._unpacker = self._new()
            else:
                rest = self._packed.read(CHUNK) if self._unpacker.needs_input else b""
                if self._unpacker.needs_input and not rest:
                    raise EOFError("the compressed data ends too early")
            data = self._unpacker.decompress(rest, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._packed.close()
        super().close()
