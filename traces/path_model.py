"""What is likely about the paths of warps: the model behind the first part of a block.

An entry mostly is what followed last time, with the same lanes; active lanes nearly always are
among the masks that came up in the path before. Which lanes execute follows from an earlier
instruction with the same guard, or has to be said lane by lane. All arrays are filled in while the
coder decodes, and only looked at while it does not.
"""

from __future__ import annotations

import numpy as np

from ..isa.compiled import compiled, entry
from .entropy import DECODING, Coder, Numbers, choice, difference, flag, mixed, number
from .entropy import USED as N
from .kernel import WARP_SIZE

DEPTH = 64  # masks that are remembered
FULL = (1 << WARP_SIZE) - 1
# Kinds of decisions.
LENGTH, AS_LAST, NEXT_PC, RANK, NEW_LANE, EXECUTED, LANE, WARP_PATH, OTHER_PATH = range(9)
KINDS = 9
# Which active lanes execute: all, none, those whose guard held before, or others.
ALL, NONE, GUARDED, OTHERS = range(4)
PREDICATES = 16  # those of threads and uniform ones
# By instruction and what became of its lanes: what followed last time, with which rank, and whether
# that was as expected, the last time in the lowest bit.
FOLLOW = np.dtype([("pc", "i8"), ("rank", "i8"), ("expected", "i8")])
# By instruction: the last kinds, and whether each lane executed it.
HISTORY = np.dtype([("kinds", "i8"), ("lanes", "i8", WARP_SIZE)])
# The entry before; jumps are a hash of the last ones in its path.
LAST = np.dtype([(name, "i8") for name in ("pc", "share", "rank", "jumps", "lanes")])
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


@compiled
def _code_as_last(coder, last, follow, known, likely, likely_kinds, share, same):
    """Whether an entry is the expected one: what followed last time, with the same lanes."""
    contexts, here = coder.contexts, mixed(last.pc, last.share)
    contexts[0] = here
    contexts[1] = mixed(here, last.jumps)
    contexts[2] = mixed(here, last.lanes)
    contexts[3] = mixed(here, follow.expected & 0xFF)
    contexts[4] = mixed(mixed(likely, likely_kinds & 0xFF), share)
    contexts[5] = mixed(mixed(here, last.rank), known)
    contexts[6] = mixed(last.share, follow.pc >= 0)
    coder.state[N] = 7
    return flag(coder, AS_LAST, np.int64(same))


@compiled
def _code_pc(coder, last, likely, pc):
    contexts, here = coder.contexts, mixed(last.pc, last.share)
    contexts[0] = here
    contexts[1] = 1
    contexts[2] = mixed(here, last.jumps)
    coder.state[N] = 3
    return likely + difference(coder, NEXT_PC, pc - likely)


@compiled
def _code_rank(coder, last, follow, known, jump, pc, rank):
    contexts, here = coder.contexts, mixed(last.pc, last.share)
    contexts[0] = mixed(mixed(pc, last.share), jump)
    contexts[1] = mixed(pc, follow.rank)
    contexts[2] = mixed(here, pc)
    contexts[3] = mixed(pc, last.rank)
    contexts[4] = mixed(last.share, jump)
    contexts[5] = mixed(mixed(pc, known), last.share)
    coder.state[N] = 6
    return number(coder, RANK, rank)


@compiled
def _code_kind(coder, pc, guard, kinds, active, guarded, kind):
    contexts, share = coder.contexts, _share(guarded, active)
    contexts[0] = pc
    contexts[1] = mixed(pc, kinds & 0xFF)
    contexts[2] = mixed(guard < 0, active & (active - 1))
    contexts[3] = mixed(pc, share)
    contexts[4] = mixed(contexts[3], kinds & 7)
    contexts[5] = mixed(pc, active)
    coder.state[N] = 6
    return choice(coder, EXECUTED, 2, kind)


def code_paths(
    coder: Coder,
    lengths: Numbers,
    firsts: Numbers,
    ends: Numbers,
    guards: Numbers,
    pcs: Numbers,
    active: Numbers,
    executed: Numbers,
) -> bool:
    """Code the entries of all paths, of which each stays between `firsts` and `ends`.

    `guards` are those of all instructions: twice the predicate, plus 1 if it is negated, or -1.
    Returns False for what cannot be.
    """
    follows = np.zeros((len(guards) + 1, 3), FOLLOW).view(np.recarray)
    follows["pc"] = -1
    histories = np.zeros(len(guards), HISTORY).view(np.recarray)
    last = np.zeros(1, LAST).view(np.recarray)
    state = follows, histories, last, np.zeros(DEPTH, np.int64), np.zeros(PREDICATES, np.int64)
    paths = lengths, firsts, ends, guards, pcs, active, executed
    return bool(_code_paths(coder, *state, *paths))


@entry
def _code_paths(
    coder,
    follows,
    histories,
    lasts,
    recent,
    truth,
    lengths,
    firsts,
    ends,
    guards,
    pcs,
    active,
    executed,
):
    last, stop = lasts[0], 0
    for path in range(len(lengths)):
        first, end = firsts[path], ends[path]
        if lengths[path] and first >= end:
            return False
        last.pc, last.share, last.rank, last.jumps, last.lanes = len(guards), 0, 0, 0, 0
        truth[:] = 0
        known, start, stop = 0, stop, stop + lengths[path]
        for place in range(start, stop):
            # What is likely.
            follow = follows[last.pc, last.share]
            following = last.pc + 1 if last.pc < len(guards) else first
            likely = follow.pc if first <= follow.pc < end else min(following, end - 1)
            likely_rank = min(follow.rank, max(known - 1, 0))
            likely_active = recent[likely_rank] if known else FULL
            likely_kinds = histories[likely].kinds
            share = _share(_guarded(guards[likely], truth, likely_active), likely_active)
            # What it is.
            pc, mask, rank, kind = pcs[place], active[place], 0, 0
            if not coder.state[DECODING]:
                rank = _rank(recent, known, mask)
                kind = _kind(executed[place], mask, _guarded(guards[pc], truth, mask))
            same = pc == likely and rank == likely_rank and kind == likely_kinds & 3
            same = _code_as_last(coder, last, follow, known, likely, likely_kinds, share, same)
            if same:
                pc, rank, kind = likely, likely_rank, likely_kinds & 3
            else:
                pc = _code_pc(coder, last, likely, pc)
                if not first <= pc < end:
                    return False
                rank = _code_rank(coder, last, follow, known, pc != following, pc, rank)
                if not 0 <= rank <= known:
                    return False
            mask = _new_mask(coder, pc, mask) if rank == known else recent[rank]
            guard, history = guards[pc], histories[pc]
            guarded = _guarded(guard, truth, mask)
            if not same:
                kind = _code_kind(coder, pc, guard, history.kinds, mask, guarded, kind)
            if kind == OTHERS:
                held = truth[guard >> 1] if guard >= 0 else 0
                lanes = _lanes(coder, pc, held, history.lanes, mask, executed[place])
            else:
                lanes = guarded if kind == GUARDED else mask if kind == ALL else 0
            pcs[place], active[place], executed[place] = pc, mask, lanes
            # What is known from now on.
            follow.pc, follow.rank = pc, rank
            follow.expected = follow.expected << 1 & 0xFFFF | same
            history.kinds = (history.kinds << 2 | kind) & 0xFFFF
            _remember(guard, truth, history.lanes, mask, lanes)
            known = _take_note(recent, known, mask, lanes)
            if pc != following:
                last.jumps = mixed(last.jumps & 0xFFFF, pc)
            last.pc, last.share, last.rank, last.lanes = pc, _share(lanes, mask), rank, lanes
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
