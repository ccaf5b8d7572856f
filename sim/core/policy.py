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
LRI = 4  # of the last cycles: the greedy warp, else the least recent one; else the youngest


@compiled
def _recent(sc, machine, warp, now):
    """Whether it is known that the warp has issued."""
    known = now - sc.issue.issued_at[u(warp)] <= machine.sm.issue.recency_cycles
    return known and sc.issue.started >> warp & 1


@compiled
def _least_recent(sc, machine, among, greedy, now):
    """The greedy warp, else that whose last issue is longest ago, else the youngest.

    All issues that are too long ago are forgotten.
    """
    if greedy >= 0 and among >> greedy & 1 and _recent(sc, machine, greedy, now):
        return greedy
    best, earliest = -1, now + 1
    left = among
    while left:
        warp = lowest(left)
        left &= left - 1
        at = sc.issue.issued_at[u(warp)]
        if at < earliest and _recent(sc, machine, warp, now):
            best, earliest = warp, at
    return best if best >= 0 else warps.youngest(sc.warps, among)


@compiled
def first(sc, machine, policy, among, greedy, now):
    """The warp of a mask, which is not 0, that comes first."""
    if policy == LRI:
        return _least_recent(sc, machine, among, greedy, now)
    if policy == LRR:
        return warps.following(among, max(greedy, 0))
    if policy != OLDEST and greedy >= 0 and among >> greedy & 1:
        return greedy
    if policy == CGGTY:
        return warps.youngest(sc.warps, among)
    return warps.oldest(sc.warps, among)
