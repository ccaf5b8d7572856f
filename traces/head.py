"""What the head of a `.warptrace` holds, as bytes and back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path as FilePath
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import code_model, entropy
from .container import DIGEST_BYTES
from .entropy import Coder, Memory
from .static_code import Columns, check_counts

# Heads of files with common code, from which a coder learns what is likely; see `build.py` there.
DICTIONARY: Final = FilePath(__file__).parent / "dictionary/heads"
SLOT_BITS: Final = 19
LAUNCH_FIELDS: Final = 12
COPY_FIELDS: Final = 2  # address, bytes
BLOCK_FIELDS: Final = 2  # bytes in the file, CTAs


class Head(NamedTuple):
    """Everything but what warps did, and the digests of that."""

    text: NDArray[np.uint8]  # JSON of the programs
    launches: NDArray[np.int64]  # (n, LAUNCH_FIELDS)
    copies: NDArray[np.int64]  # (n, COPY_FIELDS), of all launches
    blocks: NDArray[np.int64]  # (n, BLOCK_FIELDS)
    digests: NDArray[np.uint8]  # (n, DIGEST_BYTES), of the blocks
    code: Columns


def pack(head: Head) -> bytes:
    """Inverse of `unpack`."""
    return entropy.encoded(lambda coder: _coded(coder, head), known().memory)


def unpack(data: bytes) -> Head:
    """A head. Raises InputError."""
    coder = entropy.decoder(data, known().memory.copy())
    head = _coded(coder)
    entropy.check_end(coder)
    return head


def dictionary_of(heads: Iterable[Head]) -> bytes:
    """What `DICTIONARY` is to contain."""
    heads = list(heads)

    def write(coder: Coder) -> None:
        code_model.code_numbers(coder, np.array([len(heads)]))
        for head in heads:
            _coded(coder, head)

    return entropy.encoded(write, entropy.untaught(SLOT_BITS))


class Known(NamedTuple):
    """What is in the dictionary."""

    heads: tuple[Head, ...]
    memory: Memory  # of a coder that has read them


@cache
def known() -> Known:
    """Read the dictionary."""
    coder = entropy.decoder(DICTIONARY.read_bytes(), entropy.untaught(SLOT_BITS))
    count = np.zeros(1, np.int64)
    code_model.code_numbers(coder, count)
    heads = tuple(_coded(coder) for _ in range(count[0]))
    return Known(heads, Memory(coder.slots, coder.weights))


def _coded(coder: Coder, head: Head | None = None) -> Head:
    """Code a head, or decode one. Raises InputError."""
    sizes = np.array([len(part) for part in head[:4]] if head else [0] * 4)
    code_model.code_numbers(coder, sizes)
    check_counts(sizes)
    if head is None:
        text, launches, copies, blocks, digests = (
            np.zeros(sizes[0], np.uint8),
            np.zeros((sizes[1], LAUNCH_FIELDS), np.int64),
            np.zeros((sizes[2], COPY_FIELDS), np.int64),
            np.zeros((sizes[3], BLOCK_FIELDS), np.int64),
            np.zeros((sizes[3], DIGEST_BYTES), np.uint8),
        )
    else:
        text, launches, copies, blocks, digests, _ = head
    code_model.code_text(coder, text)
    for table in (launches, copies, blocks):
        code_model.code_table(coder, table)
    code = Columns.coded(coder, head and head.code)
    code_model.code_octets(coder, digests.reshape(-1))
    return Head(text, launches, copies, blocks, digests, code)
