"""Which of several warps comes first: the orders that issue and fetch can follow (sm-core 3.4).

A policy is a number: the position of its name in `machine.schema.Policy`.
"""

from __future__ import annotations

from ..compiled import compiled, lowest, u
from . import warps

CGGTY = 0  # the greedy warp, else the youngest
GTO = 1  # the greedy warp, else the oldest
OLDEST = 2
LRR = 3  # the next place after the greedy warp's
LRI = 4  # the greedy warp, else the one that issued least recently; new warps last, youngest first


@compiled
def _least_recent(sc, among):
    """The warp of a mask, which is not 0, whose last issue is longest ago."""
    started = among & int(sc.issue.started)
    if started == 0:
        return warps.youngest(sc.warps, among)
    best = lowest(started)
    while started:
        warp = lowest(started)
        started &= started - 1
        if sc.issue.issued_at[u(warp)] < sc.issue.issued_at[u(best)]:
            best = warp
    return best


@compiled
def first(sc, policy, among, greedy):
    """The warp of a mask, which is not 0, that comes first."""
    if policy == LRR:
        return warps.following(among, max(greedy, 0))
    if policy != OLDEST and greedy >= 0 and among >> greedy & 1:
        return greedy
    if policy == CGGTY:
        return warps.youngest(sc.warps, among)
    if policy == LRI:
        return _least_recent(sc, among)
    return warps.oldest(sc.warps, among)
