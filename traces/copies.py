"""What the host wrote into the device's memory before a launch: its end is in the L2 by then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeVar

from ..isa.errors import InputError

WORD: Final = "MemcpyHtoD"  # begins the line of a copy in foreign traces
LINE: Final = re.compile(rf"{WORD},0x([0-9a-fA-F]{{1,16}}),(\d{{1,18}})")
MEMORY_END: Final = 1 << 62

AnyLaunch = TypeVar("AnyLaunch")


class Copy(NamedTuple):
    """Bytes that the host copied or set."""

    address: int
    size: int  # bytes


class Pending:
    """Copies since the last launch that took them."""

    def __init__(self) -> None:
        self._copies: list[Copy] = []

    def add(self, *copies: Copy) -> None:
        """Later copies, in order."""
        self._copies += copies

    def take(self) -> tuple[Copy, ...]:
        """All of them, which no later launch gets."""
        taken, self._copies = tuple(self._copies), []
        return taken


def carried(
    launches: Iterable[tuple[AnyLaunch, Iterable[Copy], bool]],
) -> Iterator[tuple[AnyLaunch, tuple[Copy, ...]]]:
    """The launches that are wanted; copies before one that is left out come before the next.

    Each comes with its own copies and whether it is wanted.
    """
    pending = Pending()
    for launch, copies, wanted in launches:
        pending.add(*copies)
        if wanted:
            yield launch, pending.take()


def from_line(line: str) -> Copy | None:
    """The copy that a line of a foreign trace names; None if it names something else.

    Raises InputError for a copy that is not `MemcpyHtoD,0xADDRESS,BYTES` or beyond 62 bits.
    """
    if not line.startswith(WORD):
        return None
    found = LINE.fullmatch(line)
    copy = Copy(int(found[1], 16), int(found[2])) if found else None
    if copy is None or sum(copy) > MEMORY_END:
        raise InputError(f"{line!r} found, expected {WORD},0xADDRESS,BYTES within 62 bits")
    return copy


def to_line(copy: Copy) -> str:
    """Inverse of `from_line`."""
    return f"{WORD},0x{copy.address:016x},{copy.size}"
