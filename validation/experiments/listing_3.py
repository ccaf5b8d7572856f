"""Listing 3: a fixed-latency result reaches a fixed-latency reader earlier than a load's address.

On hardware one less than the least stall count gives a wrong address. Scoreboards keep the distance
that the compiler must keep; with them the model's own is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import distance
from .case import Case
from .published import listing

CODE = """
[B------:R-:W-:-:S01] MOV R43, R17 ;
[B------:R-:W-:-:S01] MOV R41, R43 ;
[B------:R-:W-:-:S01] LDG.E R36, [R40.64] ;
"""
PRODUCERS = {"mov_to_mov": 0, "mov_to_ldg": 1}
SCOREBOARDS = {"sm.dependence.mode": "scoreboard"}


def cases() -> Iterator[Case]:
    for name, producer in PRODUCERS.items():
        yield Case(
            "listing 3",
            f"least stall count, {name.replace('_', ' ')}",
            int(listing(f"listing3_{name}")["value"]),
            "paper, listing 3",
            partial(distance, CODE, first=producer, **SCOREBOARDS),
        )
