"""What is likely about the addresses of warps: the model behind the second part of a block.

A row is a base and a stride, or as far in all lanes from a row before it, or a list of its lanes'
addresses. What is likely follows from the rows of the same instruction, its group: bases and lanes
move on as they did last time, or as the row before did, or go where they went the last time that
the lane's address before was the same, as indices read from memory do. Rows are filled in while the
coder decodes, and only looked at while it does not. All arithmetic wraps at 64 bits.
"""

from typing import NamedTuple

import numpy as np

from ..isa.compiled import compiled, entry
from .entropy import DECODING, choice, difference, flag, folded, magnitude, mixed, number
from .entropy import USED as N
from .kernel import WARP_SIZE

REACH = 32  # rows back in which one like this one is looked for
MEMORY = 1 << 15  # places that remember where a lane went from an address
FULL = (1 << WARP_SIZE) - 1
# Kinds of decisions.
SHIFT, AS_LAST, FORM, BASE, OTHER_BASE, SAME_STRIDE, STRIDE, BACK, OFFSET, OTHER_OFFSET = range(10)
LISTED_AS, FIRST, PLACE, STEP = range(10, 14)
# What a row is.
AFFINE, LIKE, LISTED = range(3)
# Its base: where this lane went before, on by the last step, by that of the row before, the same,
# on within the warp, or another.
KNOWN, AGAIN, AS_BEFORE, STILL, WITHIN, OTHER = range(6)
# How far it is from the row that it is like: another distance, that of the last time, the step of
# the row before, or no distance.
NEW, SAME, STEPPED, NONE = range(4)
# A listed address: none of these, where this lane went before, as far on as the lane before, as
# far on as last time.
APART, REMEMBERED, BESIDE, ONWARD = range(4)


class Groups(NamedTuple):
    """What is known about the rows of each instruction so far."""

    shift: np.ndarray  # low bits that are 0 in all addresses, -1 before the first
    warp: np.ndarray  # that had the last row
    shape: np.ndarray  # the last rows' forms with their details, four bits each
    base: np.ndarray
    delta: np.ndarray  # from the base before
    first_base: np.ndarray  # of the last warp's first row
    first_delta: np.ndarray
    stride: np.ndarray
    size: np.ndarray  # bits of the last number
    back: np.ndarray
    offset: np.ndarray
    row: np.ndarray  # number of the last one
    reference: np.ndarray  # the first address
    cost: np.ndarray  # (groups, 2): bits that numbers took from the reference, from the last one
    last: np.ndarray  # (groups, 32): address that was listed last
    step: np.ndarray  # (groups, 32): from the one before
    listed_as: np.ndarray  # (groups, 32): how


class Before(NamedTuple):
    """What is known about the row before, by the names below, and where each lane was last."""

    row: np.ndarray
    lanes: np.ndarray  # (32,)
    memory: np.ndarray  # (MEMORY, 2): of where a lane was: a hash, and where it went


GROUP, SHAPE, MOVED, ADDRESS, WARP = range(5)


@compiled
def lowest_lane(mask):
    """Number of the lowest set lane; `mask` is not 0."""
    lane = 0
    while not mask >> lane & 1:
        lane += 1
    return lane


@compiled
def _stride(addresses, mask):
    """Bytes from lane to lane, and whether that gives all addresses."""
    first, others = lowest_lane(mask), mask & mask - 1
    if others == 0:
        return 0, True
    second = lowest_lane(others)
    stride = (addresses[second] - addresses[first]) // (second - first)
    for lane in range(second, WARP_SIZE):
        if mask >> lane & 1 and addresses[lane] != addresses[first] + (lane - first) * stride:
            return 0, False
    return stride, True


@compiled
def _distance(addresses, others, mask):
    """What all lanes of `mask` add to the other row's addresses; 0 and False if they differ."""
    first = lowest_lane(mask)
    distance = addresses[first] - others[first]
    for lane in range(first, WARP_SIZE):
        if mask >> lane & 1 and addresses[lane] - others[lane] != distance:
            return 0, False
    return distance, True


@compiled(inline=False)
def _fit(addresses, masks, row, last_row):
    """Form of a row; stride, or rows back (0: the last one of its group) and offset."""
    mask = masks[row]
    stride, fits = _stride(addresses[row], mask)
    if fits:
        return AFFINE, stride, 0
    for back in range(REACH):
        earlier = row - back if back else last_row
        if earlier >= 0 and masks[earlier] & mask == mask:
            offset, fits = _distance(addresses[row], addresses[earlier], mask)
            if fits:
                return LIKE, back, offset
    return LISTED, 0, 0


@entry
def find_shifts(groups, masks, addresses, found):
    """Of each group: how many low bits are 0 in all of its addresses."""
    for k in range(len(groups)):
        for lane in range(WARP_SIZE):
            if masks[k] >> lane & 1:
                found[groups[k]] |= addresses[k, lane]
    for g in range(len(found)):
        found[g] = magnitude(found[g] & -found[g]) - 1 if found[g] else 0


@compiled
def _place(group, address):
    """Hash of where a lane was, and where that is remembered."""
    key = mixed(group + 1, address)
    return key, key >> 4 & MEMORY - 1


@compiled
def _recalled(before, key, place):
    """Where a lane went from there, and whether that is known."""
    return before.memory[place, 1], before.memory[place, 0] == key


@compiled
def _memorise(before, key, place, address):
    before.memory[place, 0], before.memory[place, 1] = key, address


@compiled
def _guesses(groups, before, g, fresh, known, guesses):
    """Of a base: as the symbols above say."""
    base = groups.first_base[g] if fresh else groups.base[g]
    delta = groups.first_delta[g] if fresh else groups.delta[g]
    guesses[KNOWN] = known
    guesses[AGAIN] = base + delta
    guesses[AS_BEFORE] = base + before.row[MOVED]
    guesses[STILL] = base
    guesses[WITHIN] = groups.base[g] + groups.delta[g]


@compiled
def _guessed(guesses, is_known, address):
    for symbol in range(OTHER):
        if guesses[symbol] == address and (symbol != KNOWN or is_known):
            return symbol
    return OTHER


@compiled
def _other_base(coder, groups, before, g, fresh, base, address):
    """A base that no guess gives, as the difference to one, or the first of its group."""
    contexts, shift = coder.contexts, groups.shift[g]
    if groups.row[g] < 0:
        base, shift = before.row[ADDRESS], 0
    delta = groups.first_delta[g] if fresh else groups.delta[g]
    contexts[0] = mixed(g, fresh)
    contexts[1] = mixed(fresh, magnitude(folded(delta)))
    contexts[2] = mixed(mixed(g, fresh), groups.size[g])
    contexts[3] = mixed(g, delta)
    contexts[4] = mixed(1, before.row[MOVED])
    coder.state[N] = 5
    moved = difference(coder, OTHER_BASE, address - base >> shift)
    groups.size[g] = magnitude(folded(moved))
    return base + (moved << shift)


@compiled
def _code_stride(coder, groups, g, stride, same):
    """`same` says whether it is the last one's."""
    if same:
        return groups.stride[g]
    contexts = coder.contexts
    contexts[0] = g
    contexts[1] = 0
    contexts[2] = mixed(g, groups.stride[g])
    coder.state[N] = 3
    return difference(coder, STRIDE, stride)


@compiled
def _other_offset(coder, groups, g, offset):
    contexts = coder.contexts
    contexts[0] = mixed(g, groups.back[g])
    contexts[1] = 0
    contexts[2] = mixed(g, groups.offset[g])
    coder.state[N] = 3
    return difference(coder, OTHER_OFFSET, offset)


@compiled
def _apart(coder, groups, before, g, lane, delta, address):
    """A listed address that nothing gives: from the reference, or from the lane's last one."""
    contexts, last, shift = coder.contexts, groups.last[g, lane], groups.shift[g]
    if groups.row[g] < 0 and delta == 0 and groups.reference[g] == 0:
        contexts[0] = 0
        coder.state[N] = 1
        address = before.row[ADDRESS] + difference(coder, FIRST, address - before.row[ADDRESS])
        groups.reference[g] = address
        return address
    if groups.cost[g, 0] <= groups.cost[g, 1]:
        contexts[0] = g
        contexts[1] = mixed(g, groups.size[g])
        contexts[2] = mixed(g, lane)
        contexts[3] = mixed(g, last ^ groups.reference[g])
        contexts[4] = mixed(g, before.lanes[lane])
        coder.state[N] = 5
        found = number(coder, PLACE, (address ^ groups.reference[g]) >> shift)
        groups.size[g] = magnitude(found)
        address = groups.reference[g] ^ found << shift
    else:
        step = groups.step[g, lane]
        contexts[0] = mixed(g, magnitude(folded(delta)))
        contexts[1] = mixed(g, magnitude(folded(step)))
        contexts[2] = g
        contexts[3] = mixed(g, delta)
        contexts[4] = mixed(g, step)
        contexts[5] = mixed(contexts[0], magnitude(folded(step)))
        coder.state[N] = 6
        address = last + (difference(coder, STEP, address - last >> shift) << shift)
    sizes = magnitude(address ^ groups.reference[g]), magnitude(folded(address - last))
    for way in range(2):
        groups.cost[g, way] += sizes[way] - (groups.cost[g, way] >> 5)
    return address


@compiled(inline=False)
def _code_list(coder, groups, before, g, mask, addresses):
    contexts = coder.contexts
    delta, symbol, earlier = 0, 0, 0
    gap, behind = groups.stride[g], 0
    for lane in range(WARP_SIZE):
        if not mask >> lane & 1:
            continue
        key, place = _place(g, before.lanes[lane])
        known, is_known = _recalled(before, key, place)
        last = groups.last[g, lane]
        address, as_last = addresses[lane], groups.listed_as[g, lane]
        agree = is_known << 2 | (known == last + delta) << 1 | (last + delta == behind + gap)
        contexts[0] = mixed(g, agree)
        contexts[1] = mixed(mixed(g, symbol), agree)
        contexts[2] = mixed(mixed(g, symbol), earlier)
        contexts[3] = mixed(mixed(g, as_last), agree)
        contexts[4] = mixed(g, lane)
        contexts[5] = mixed(mixed(as_last, symbol), agree)
        coder.state[N] = 6
        earlier = symbol
        if is_known and address == known:
            symbol = REMEMBERED
        else:
            far = address - last
            symbol = BESIDE if far == delta else ONWARD if address == behind + gap else APART
        symbol = choice(coder, LISTED_AS, 2, symbol)
        if symbol == REMEMBERED:
            address = known
        elif symbol == BESIDE:
            address = last + delta
        elif symbol == ONWARD:
            address = behind + gap
        else:
            address = _apart(coder, groups, before, g, lane, delta, address)
        delta = address - last
        if behind:
            gap = address - behind
        behind = address
        _memorise(before, key, place, address)
        groups.last[g, lane], groups.step[g, lane] = address, delta
        groups.listed_as[g, lane] = (as_last << 2 | symbol) & 15
        addresses[lane] = address
    groups.stride[g] = gap
    return delta


@entry
def code_rows(coder, row_groups, masks, new_warp, shift, addresses):
    """Code all rows; returns False for what cannot be.

    `new_warp` is set where a warp's rows begin; `shift` is the number of low bits that are 0, of
    each group.
    """
    n = len(shift)
    contexts, state = coder.contexts, coder.state
    per_group = np.zeros((13, n), np.int64)
    per_lane = np.zeros((3, n, WARP_SIZE), np.int64)
    groups = Groups(
        *(np.full(n, -1), np.full(n, -1), per_group[0], per_group[1], per_group[2], per_group[3]),
        *(per_group[4], per_group[5], per_group[6], per_group[7], per_group[8], np.full(n, -1)),
        *(per_group[9], np.zeros((n, 2), np.int64), per_lane[0], per_lane[1], per_lane[2]),
    )
    before = Before(
        np.zeros(5, np.int64), np.zeros(WARP_SIZE, np.int64), np.zeros((MEMORY, 2), np.int64)
    )
    guesses = np.zeros(OTHER, np.int64)
    last_shift = 0
    for row in range(len(row_groups)):
        if new_warp[row]:
            before.lanes[:] = 0
            before.row[WARP] += 1
            before.row[GROUP], before.row[SHAPE], before.row[MOVED] = n, 0, 0
        mask, g = masks[row], row_groups[row]
        if mask == 0:
            continue
        if groups.row[g] < 0:
            contexts[0] = last_shift
            contexts[1] = 0
            state[N] = 2
            last_shift = number(coder, SHIFT, shift[g])
            if not 0 <= last_shift < 64:
                return False
            groups.shift[g] = last_shift
        lane = lowest_lane(mask)
        fresh = groups.warp[g] != before.row[WARP]
        key, place = _place(g, before.lanes[lane])
        known, is_known = _recalled(before, key, place)
        _guesses(groups, before, g, fresh, known, guesses)
        moved = before.row[MOVED]
        last_shape = groups.shape[g] & 15
        # What it is.
        form, first, offset = AFFINE, 0, 0
        if not state[DECODING]:
            form, first, offset = _fit(addresses, masks, row, groups.row[g])
        if form == AFFINE:
            detail = _guessed(guesses, is_known, addresses[row, lane])
            steady = mask & mask - 1 == 0 or first == groups.stride[g]
        elif form == LIKE:
            same = offset == groups.offset[g]
            detail = SAME if same else STEPPED if offset == moved else NONE if offset == 0 else NEW
            steady = first == groups.back[g]
        else:
            detail, steady = 0, True
        shape = form * 6 + detail
        agree = is_known << 3 | (guesses[KNOWN] == guesses[AGAIN]) << 2
        agree |= (guesses[AGAIN] == guesses[AS_BEFORE]) << 1 | (guesses[AGAIN] == guesses[STILL])
        agree = agree << 1 | fresh
        here = mixed(g, last_shape)
        contexts[0] = mixed(here, agree)
        contexts[1] = mixed(here, groups.shape[g] & 0xFFF)
        contexts[2] = mixed(mixed(here, before.row[GROUP]), before.row[SHAPE])
        contexts[3] = mixed(mixed(last_shape, agree), before.row[SHAPE])
        contexts[4] = mixed(mixed(here, groups.shape[g] & 0xFFFFFFF), fresh)
        contexts[5] = mixed(here, groups.delta[g])
        contexts[6] = mixed(here, mask)
        state[N] = 7
        if not flag(coder, AS_LAST, np.int64(shape == last_shape and steady)):
            state[N] = 6
            shape = choice(coder, FORM, 4, shape)
            state[N] = 3
            steady = flag(coder, SAME_STRIDE, np.int64(steady)) == 1
        else:
            shape, steady = last_shape, True
        # Its addresses.
        if shape < LIKE * 6:
            form, detail = AFFINE, shape
            base = groups.first_base[g] if fresh else groups.base[g]
            if detail == OTHER:
                address = _other_base(coder, groups, before, g, fresh, base, addresses[row, lane])
            else:
                address = guesses[detail]
            if mask & mask - 1:
                first = _code_stride(coder, groups, g, first, steady)
                groups.stride[g] = first
            if fresh:
                groups.first_delta[g] = address - groups.first_base[g]
                groups.first_base[g] = address
            groups.delta[g], groups.base[g] = address - groups.base[g], address
            before.row[MOVED] = address - base
            for k in range(lane, WARP_SIZE):
                if mask >> k & 1:
                    addresses[row, k] = address + (k - lane) * first
            _memorise(before, key, place, address)
        elif shape < LISTED * 6:
            form, detail = LIKE, shape - 6
            if steady:
                first = groups.back[g]
            else:
                contexts[0] = g
                contexts[1] = 0
                state[N] = 2
                first = number(coder, BACK, first)
            earlier = row - first if first else groups.row[g]
            if not 0 <= first <= REACH or earlier < 0 or detail > NONE:
                return False
            groups.back[g] = first
            if detail == NEW:
                offset = _other_offset(coder, groups, g, offset)
            else:
                offset = groups.offset[g] if detail == SAME else moved if detail == STEPPED else 0
            groups.offset[g] = offset
            if first == 0:
                before.row[MOVED] = offset
            for k in range(lane, WARP_SIZE):
                if mask >> k & 1:
                    addresses[row, k] = addresses[earlier, k] + offset
        else:
            if shape > LISTED * 6:
                return False
            before.row[MOVED] = _code_list(coder, groups, before, g, mask, addresses[row])
        # What is known from now on.
        if groups.row[g] < 0:
            groups.reference[g] = addresses[row, lane]
        groups.shape[g] = (groups.shape[g] << 4 | shape) & 0xFFFFFFFFF
        groups.warp[g], groups.row[g] = before.row[WARP], row
        before.row[GROUP], before.row[SHAPE] = g, shape
        before.row[ADDRESS] = addresses[row, lane]
        for k in range(lane, WARP_SIZE):
            if mask >> k & 1:
                before.lanes[k] = addresses[row, k]
    return True
