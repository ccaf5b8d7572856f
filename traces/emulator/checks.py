"""Optional checks of memory accesses, in the manner of compute-sanitizer.

`uninitialised`: a load finds bytes that nobody wrote, in any memory. `races`: two warps of a CTA
use a byte of shared memory without a barrier between them, and at least one writes it; atomics
and the lanes of one warp are not compared.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...isa.errors import InputError
from ..kernel import WARP_SIZE

if TYPE_CHECKING:
    from .fragments import Warps
    from .step import Step

Check = Literal["races", "uninitialised"]
CHECKS = frozenset(get_args(Check))
NOBODY, SEVERAL = -1, -2  # instead of the number of a warp


class Use(Enum):
    """What an access does to memory."""

    READ = "reads"
    WRITE = "writes"
    ATOMIC = "changes"


def known(checks: frozenset[str]) -> frozenset[str]:
    """The names of some checks; raises InputError for any other."""
    if unknown := checks - CHECKS:
        names = ", ".join(sorted(CHECKS))
        raise InputError(f"no check is called {', '.join(unknown)}; known are {names}")
    return checks


def check_written(
    s: Step, use: Use, written: NDArray[np.bool], lanes: Warps, places: Warps, name: str
) -> None:
    """Raise an error if bytes of a read were never written, else note a write.

    `lanes` are numbers of lanes, counted through the warps of the step, and `places` the offsets
    of their bytes, shape (lanes, bytes).
    """
    if use is not Use.WRITE:
        for lane in lanes[~written[places].all(axis=1)][:1]:
            s.fault_at(
                *divmod(int(lane), WARP_SIZE), f"{use.value} {name} memory that nobody wrote"
            )
    if use is not Use.READ:
        written[places] = True


class Races:
    """Who last read and wrote each byte of shared memory, and behind how many barriers."""

    def __init__(self, size: int) -> None:
        self._users = {use: np.full(size, NOBODY, np.int64) for use in (Use.READ, Use.WRITE)}
        self._ages = {use: np.full(size, -1, np.int64) for use in (Use.READ, Use.WRITE)}

    def check(self, s: Step, use: Use, lanes: Warps, places: Warps) -> None:
        """Raise an error if another warp used the bytes since the last barrier of the CTA."""
        for row in np.unique(lanes // WARP_SIZE):
            mine = lanes // WARP_SIZE == row
            warp = int(s.warps[row])
            age = int(s.state.fragments.opened[warp])
            for earlier in (Use.WRITE, Use.READ) if use is Use.WRITE else (Use.WRITE,):
                users, recent = self._users[earlier], self._ages[earlier][places[mine]] == age
                bad = (recent & (users[places[mine]] != warp)).any(axis=1)
                for lane, place in zip(lanes[mine][bad], places[mine][bad], strict=True):
                    other = next(u for u in users[place] if u != warp)
                    did = "wrote" if earlier is Use.WRITE else "read"
                    who = name_of(int(other), s.state.launch.warps_per_cta)
                    what = f"{use.value} shared memory that {who} {did} since the last barrier"
                    s.fault_at(int(row), int(lane % WARP_SIZE), what)
            self._note(use, warp, age, places[mine])

    def _note(self, use: Use, warp: int, age: int, places: Warps) -> None:
        users, ages = self._users[use], self._ages[use]
        shared = (ages[places] == age) & (users[places] != warp)
        users[places] = np.where(shared, SEVERAL, warp)
        ages[places] = age


def name_of(warp: int, warps_per_cta: int) -> str:
    """Who used a byte, for messages."""
    return "several warps" if warp == SEVERAL else f"warp {warp % warps_per_cta}"
