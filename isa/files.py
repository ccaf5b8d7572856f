"""Files that are whole or absent, and the folder for what can be made again."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import InputError


def cache_folder() -> Path:
    """Where compiled code and disassemblies are kept; `WARPWISE_CACHE` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("WARPWISE_CACHE") or Path(base) / "warpwise")


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A stream that becomes `path` when the block ends without an exception."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
