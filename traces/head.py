"""What the head of a `.warptrace` holds, as bytes and back."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path as FilePath
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..isa.errors import InputError
from . import code_model, entropy
from .container import DIGEST_BYTES
from .entropy import Coder, Memory
from .static_code import COUNT_LIMIT, Columns

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
    return entropy.encoded(lambda coder: _coded(coder, head), _taught())


def unpack(data: bytes) -> Head:
    """A head. Raises InputError."""
    coder = entropy.decoder(data, _taught())
    head = _coded(coder)
    entropy.check_end(coder)
    return head


def dictionary(heads: Iterable[Head]) -> bytes:
    """What `DICTIONARY` is to contain."""
    heads = list(heads)

    def write(coder: Coder) -> None:
        code_model.code_numbers(coder, np.array([len(heads)]))
        for head in heads:
            _coded(coder, head)

    return entropy.encoded(write, entropy.untaught(SLOT_BITS))


@cache
def _taught() -> Memory:
    """That of a coder which has read the dictionary."""
    coder = entropy.decoder(DICTIONARY.read_bytes(), entropy.untaught(SLOT_BITS))
    count = np.zeros(1, np.int64)
    code_model.code_numbers(coder, count)
    for _ in range(count[0]):
        _coded(coder)
    return Memory(coder.slots, coder.weights)


def _coded(coder: Coder, head: Head | None = None) -> Head:
    """Code a head, or decode one. Raises InputError."""
    sizes = np.array([len(part) for part in head[:4]] if head else [0] * 4)
    code_model.code_numbers(coder, sizes)
    if not 0 <= sizes.min() <= sizes.max() <= COUNT_LIMIT:
        raise InputError(f"a head of {sizes.tolist()} entries, of which {COUNT_LIMIT} may be")
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
