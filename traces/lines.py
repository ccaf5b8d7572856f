"""Lines of a text file that nobody vouches for, compressed or not."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

import zstandard

from ..isa.errors import InputError

COMPRESSIONS: Final = (".gz", ".xz", ".zst")
LIMIT: Final = 1 << 14  # bytes of a line
DAMAGE: Final = (OSError, EOFError, lzma.LZMAError, zstandard.ZstdError)
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
        while raw := self._read():
            self.number += 1
            if len(raw) > LIMIT:
                self.fail(f"a line of over {LIMIT} bytes found")
            if not raw.isascii():
                self.fail("a character outside ASCII found")
            if line := raw.decode("ascii").strip():
                return line
        self._stream.close()
        raise StopIteration

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
            return lzma.open(path)
        case ".zst":
            return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(open(path, "rb")))
    return open(path, "rb")
