"""The loops behind `mask_columns`: the masks that came up in a path, the last one first."""

import numpy as np

from ..isa.compiled import compiled, entry

DEPTH = 64  # masks that are remembered


@compiled
def _rank(recent, known, mask):
    """Position of a mask; `known` if it is not among them."""
    rank = 0
    while rank < known and recent[rank] != mask:
        rank += 1
    return rank


@compiled
def _to_front(recent, known, mask):
    """Make a mask the first; returns how many are known then."""
    rank = _rank(recent, known, mask)
    if rank == known:
        known = min(known + 1, DEPTH)
        rank = known - 1
    for k in range(rank, 0, -1):
        recent[k] = recent[k - 1]
    recent[0] = mask
    return known


@compiled
def _step(recent, known, active, executed):
    """Take note of an entry: likely to come next are its lanes, the executing ones, the others."""
    if active != executed:
        known = _to_front(recent, known, active & ~executed)
        known = _to_front(recent, known, executed)
    return _to_front(recent, known, active)


@entry
def find(lengths, active, executed, kinds, fresh):
    """Kind of each entry of the paths, and the active masks that are new in their path."""
    recent = np.zeros(DEPTH, np.int64)
    place = n_fresh = 0
    for length in lengths:
        known = 0
        for _ in range(length):
            rank = _rank(recent, known, active[place])
            if rank == known:
                fresh[n_fresh] = active[place]
                n_fresh += 1
            kinds[place] = 2 * rank + (active[place] != executed[place])
            known = _step(recent, known, active[place], executed[place])
            place += 1
    return n_fresh


@entry
def follow(lengths, kinds, fresh, skipped, active, executed):
    """Inverse of `find`: fill in masks; returns how many fresh ones that takes, -1 if it fails."""
    recent = np.zeros(DEPTH, np.int64)
    place = n_fresh = 0
    for length in lengths:
        known = 0
        for _ in range(length):
            rank = kinds[place] >> 1
            if rank > known or (rank == known and n_fresh == len(fresh)):
                return -1
            if rank == known:
                active[place] = fresh[n_fresh]
                n_fresh += 1
            else:
                active[place] = recent[rank]
            executed[place] = active[place] & ~skipped[place]
            known = _step(recent, known, active[place], executed[place])
            place += 1
    return n_fresh
