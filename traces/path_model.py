"""What is likely about the paths of warps: the model behind the first part of a block.

An entry mostly is what followed last time, with the same lanes; active lanes nearly always are
among the masks that came up in the path before. Which lanes execute follows from an earlier
instruction with the same guard, or has to be said lane by lane. All arrays are filled in while the
coder decodes, and only looked at while it does not.
"""

import numpy as np

from ..isa.compiled import compiled, entry
from .entropy import USED as N
from .entropy import choice, difference, flag, mixed, number
from .kernel import WARP_SIZE

DEPTH = 64  # masks that are remembered
FULL = (1 << WARP_SIZE) - 1
# Kinds of decisions.
LENGTH, AS_LAST, NEXT_PC, RANK, NEW_LANE, EXECUTED, LANE, WARP_PATH, OTHER_PATH = range(9)
# Which active lanes execute: all, none, those whose guard held before, or others.
ALL, NONE, GUARDED, OTHERS = range(4)
# Which path a warp takes: that of the warp before, the first one not taken yet, or another.
SAME, NEW, ANOTHER = range(3)


@entry
def code_lengths(coder, lengths):
    """Code how many entries each path has."""
    for k in range(len(lengths)):
        coder.contexts[0] = lengths[k - 1] if k else 0
        coder.contexts[1] = 1
        coder.state[N] = 2
        lengths[k] = number(coder, LENGTH, lengths[k])


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
def _take_note(recent, known, active, executed):
    """After an entry: likely to come next are its lanes, the executing ones, the others."""
    if active != executed:
        known = _to_front(recent, known, active & ~executed)
        known = _to_front(recent, known, executed)
    return _to_front(recent, known, active)


@compiled
def _share(mask, whole):
    """0 if it is the whole, 1 if it is empty, 2 if it is between."""
    return 0 if mask == whole else 1 if mask == 0 else 2


@compiled
def _guarded(guard, truth, active):
    """Active lanes that would execute if the guard were what it was last."""
    if guard < 0:
        return active
    held = truth[guard >> 1]
    return active & (~held if guard & 1 else held)


@compiled
def _kind(executed, active, guarded):
    if executed == active:
        return ALL
    if executed == 0:
        return NONE
    return GUARDED if executed == guarded else OTHERS


@compiled
def _new_mask(coder, pc, mask):
    contexts, found, before = coder.contexts, 0, 1
    for lane in range(WARP_SIZE):
        contexts[0] = mixed(before, lane)
        contexts[1] = before
        contexts[2] = mixed(pc, before)
        coder.state[N] = 3
        lane_bit = flag(coder, NEW_LANE, mask >> lane & 1)
        before = (before << 1 | lane_bit) & 7
        found |= lane_bit << lane
    return found


@compiled
def _lanes(coder, pc, held, history, active, executed):
    """The executing ones; `held` are those whose guard held last, `history` is of this pc."""
    contexts, found, before = coder.contexts, 0, 1
    for lane in range(WARP_SIZE):
        if active >> lane & 1:
            own = history[lane]
            contexts[0] = mixed(pc, before & 3)
            contexts[1] = mixed(mixed(pc, own & 15), before & 1)
            contexts[2] = mixed(mixed(pc, held >> lane & 1), before & 3)
            contexts[3] = mixed(pc, lane)
            contexts[4] = mixed(pc, before & 31)
            contexts[5] = mixed(pc, own & 1023)
            coder.state[N] = 6
            lane_bit = flag(coder, LANE, executed >> lane & 1)
            before = before << 1 | lane_bit
            found |= lane_bit << lane
    return found


@compiled
def _remember(guard, truth, history, active, executed):
    """What the guard was, in all active lanes."""
    if guard >= 0:
        truth[guard >> 1] &= ~active
        truth[guard >> 1] |= executed ^ (active if guard & 1 else 0)
        for lane in range(WARP_SIZE):
            if active >> lane & 1:
                history[lane] = (history[lane] << 1 | executed >> lane & 1) & 0xFFFF


@entry
def code_paths(coder, lengths, firsts, ends, guards, pcs, active, executed):
    """Code the entries of all paths, of which each stays between `firsts` and `ends`.

    `guards` are those of all instructions: twice the predicate, plus 1 if it is negated, or -1.
    Returns False for what cannot be.
    """
    n = len(guards)
    contexts, state = coder.contexts, coder.state
    recent, truth = np.zeros(DEPTH, np.int64), np.zeros(16, np.int64)
    # By instruction and what became of its lanes: what followed, with which rank, as expected?
    follower, rank_then = np.full((n + 1, 3), -1), np.zeros((n + 1, 3), np.int64)
    expected = np.zeros((n + 1, 3), np.int64)
    kinds, history = np.zeros(n + 1, np.int64), np.zeros((n + 1, WARP_SIZE), np.int64)
    place = 0
    for path in range(len(lengths)):
        before, share, known, jumps, last_rank, lanes = n, 0, 0, 0, 0, 0
        truth[:] = 0
        if lengths[path] and firsts[path] >= ends[path]:
            return False
        for _ in range(lengths[path]):
            here = mixed(before, share)
            following = before + 1 if before < n else firsts[path]
            likely = follower[before, share]
            if not firsts[path] <= likely < ends[path]:
                likely = min(following, ends[path] - 1)
            likely_rank = min(rank_then[before, share], max(known - 1, 0))
            likely_active = recent[likely_rank] if known else FULL
            guarded = _guarded(guards[likely], truth, likely_active)
            likely_kind = kinds[likely] & 3

            pc, mask = pcs[place], active[place]
            rank = _rank(recent, known, mask)
            kind = _kind(executed[place], mask, _guarded(guards[pc], truth, mask))

            contexts[0] = here
            contexts[1] = mixed(here, jumps)
            contexts[2] = mixed(here, lanes)
            contexts[3] = mixed(here, expected[before, share] & 0xFF)
            contexts[4] = mixed(mixed(likely, kinds[likely] & 0xFF), _share(guarded, likely_active))
            contexts[5] = mixed(mixed(here, last_rank), known)
            contexts[6] = mixed(share, follower[before, share] >= 0)
            state[N] = 7
            same = pc == likely and rank == likely_rank and kind == likely_kind
            same = flag(coder, AS_LAST, np.int64(same))
            if same:
                pc, rank, kind = likely, likely_rank, likely_kind
            else:
                contexts[0] = here
                contexts[1] = 1
                contexts[2] = mixed(here, jumps)
                state[N] = 3
                pc = likely + difference(coder, NEXT_PC, pc - likely)
                if not firsts[path] <= pc < ends[path]:
                    return False
                jump = np.int64(pc != following)
                contexts[0] = mixed(mixed(pc, share), jump)
                contexts[1] = mixed(pc, rank_then[before, share])
                contexts[2] = mixed(here, pc)
                contexts[3] = mixed(pc, last_rank)
                contexts[4] = mixed(share, jump)
                contexts[5] = mixed(mixed(pc, known), share)
                state[N] = 6
                rank = number(coder, RANK, rank)
                if not 0 <= rank <= known:
                    return False
            mask = _new_mask(coder, pc, mask) if rank == known else recent[rank]
            guard = guards[pc]
            guarded = _guarded(guard, truth, mask)
            if not same:
                contexts[0] = pc
                contexts[1] = mixed(pc, kinds[pc] & 0xFF)
                contexts[2] = mixed(guard < 0, mask & (mask - 1))
                contexts[3] = mixed(pc, _share(guarded, mask))
                contexts[4] = mixed(contexts[3], kinds[pc] & 7)
                contexts[5] = mixed(pc, mask)
                state[N] = 6
                kind = choice(coder, EXECUTED, 2, kind)
            held = truth[guard >> 1] if guard >= 0 else 0
            if kind == ALL:
                lanes = mask
            elif kind == NONE:
                lanes = 0
            elif kind == GUARDED:
                lanes = guarded
            else:
                lanes = _lanes(coder, pc, held, history[pc], mask, executed[place])
            follower[before, share], rank_then[before, share] = pc, rank
            expected[before, share] = expected[before, share] << 1 & 0xFFFF | same
            kinds[pc] = (kinds[pc] << 2 | kind) & 0xFFFF
            _remember(guard, truth, history[pc], mask, lanes)
            pcs[place], active[place], executed[place] = pc, mask, lanes
            known = _take_note(recent, known, mask, lanes)
            if pc != following:
                jumps = mixed(jumps & 0xFFFF, pc)
            before, share, last_rank = pc, _share(lanes, mask), rank
            place += 1
    return True


@entry
def code_warps(coder, paths):
    """Code which path each warp takes, numbered by first use; returns how many there are."""
    contexts, last, before_last, taken = coder.contexts, -1, -1, 0
    for k in range(len(paths)):
        path = paths[k]
        kind = SAME if path == last else NEW if path == taken else ANOTHER
        contexts[0] = last
        contexts[1] = mixed(last, before_last)
        contexts[2] = paths[k - 8] if k >= 8 else -1
        contexts[3] = last + 1 == taken
        coder.state[N] = 4
        kind = choice(coder, WARP_PATH, 2, kind)
        if kind == NEW or taken == 0:
            path = taken
        elif kind == SAME:
            path = last
        else:
            path = min(max(number(coder, OTHER_PATH, path), 0), taken - 1)
        paths[k] = path
        taken = max(taken, path + 1)
        last, before_last = path, last
    return taken
