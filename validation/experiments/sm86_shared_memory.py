"""Shared-memory sequences of an RTX 3060: one warp, stores and loads between clock reads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .bench import clock_difference
from .measurement import RTX_3060, Measurement
from .published import table

BEGIN = "[B------:R-:W-:-:S02] CS2R.32 R8, SR_CLOCKLO ;"
END = "[B{wait}:R-:W-:-:S02] CS2R.32 R10, SR_CLOCKLO ;"
STORES = 50
STORE = "[B{wait}:R0:W-:-:S{stall:02}] STS [R0.X4], R0 ;"
LOAD = "[B{wait}:R-:W1:-:S04] LDS R4, [R0.X4] ;"
CHASES = 500
CHASE = "[B-1----:R-:W1:-:S04] LDS R0, [R0] ;"
NOTHING, READ, LOADED = "------", "0-----", "-1----"


def timed(*lines: str, wait: str) -> str:
    return "\n".join((BEGIN, *lines, END.format(wait=wait)))


def stores(each: str = NOTHING, final: str = NOTHING) -> str:
    """A chain of stores that wait for `each`, and an end that waits for `final`."""
    store = STORE.format(wait=each, stall=4)
    last = STORE.format(wait=each, stall=2)
    return timed(f"@repeat {STORES - 1} {store}", last, wait=final)


ONE_STORE = STORE.format(wait=NOTHING, stall=4)
# By the name of the experiment: its code and by what the cycles are divided.
SEQUENCES = {
    "STS chain, no waits": (stores(), STORES),
    "STS chain, final wait": (stores(final=READ), STORES),
    "STS chain, each waits for the previous": (stores(each=READ, final=READ), STORES),
    "single STS then wait": (timed(ONE_STORE, wait=READ), 1),
    "single LDS then wait": (timed(LOAD.format(wait=NOTHING), wait=LOADED), 1),
    "STS then LDS then wait": (timed(ONE_STORE, LOAD.format(wait=READ), wait=LOADED), 1),
    "LDS pointer chase": (timed(f"@repeat {CHASES} {CHASE}", wait=LOADED), CHASES),
}


def cycles(name: str) -> float:
    code, count = SEQUENCES[name]
    return clock_difference(code, RTX_3060) / count


def measurements() -> Iterator[Measurement]:
    for row in table("sm86_shared_memory"):
        name = row["experiment"]
        yield Measurement(
            "shared memory", name, float(row["cycles"]), row["source"], partial(cycles, name)
        )
