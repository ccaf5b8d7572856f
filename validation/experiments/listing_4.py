"""Listing 4: which operand reads hit in the register-file cache.

An FFMA in front books all reads of bank 0 in its window, and from then on that bank is booked
without a gap: an instruction follows its predecessor through Allocate in the next cycle if it reads
one register of bank 0, one cycle later if it reads two. Instructions 2 and 3 read two of them, or
one if the other hits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from .bench import events
from .case import Case
from .published import listing

CODE = """
[B------:R-:W-:-:S01] FFMA R20, R22, R24, R26 ;
[B------:R-:W-:-:S01] IADD3 R1, R2.reuse, R3, R4 ;
[B------:R-:W-:-:S01] {second} ;
[B------:R-:W-:-:S01] IADD3 R10, R2, R12, R13 ;
"""
SECOND = {
    1: "FFMA R5, R2, R7, R8",
    2: "FFMA R5, R2.reuse, R7, R8",
    3: "FFMA R5, R7, R2, R8",
    4: "FFMA R5, R4, R7, R8",
}


def lookup(example: int, instruction: int, gpu: str, **overrides: Any) -> str:
    """Does `instruction` (1 to 3) of an example hit?"""
    allocate = events(CODE.format(second=SECOND[example]), gpu, **overrides)["allocate"]
    return "hit" if allocate[instruction] == allocate[instruction - 1] + 1 else "miss"


def cases() -> Iterator[Case]:
    for example in SECOND:
        for instruction in (2, 3):
            published = listing(f"listing4_example{example}_i{instruction}")["value"]
            yield Case(
                "listing 4",
                f"example {example}, instruction {instruction}",
                "hit" if published == "hit" else "miss",
                "paper, listing 4",
                partial(lookup, example, instruction),
            )
