"""What is likely about the addresses of warps: the model behind the second part of a block.

A row is a base and a stride, or as far in all lanes from a row before it, or a list of its lanes'
addresses. What is likely follows from the rows of the same instruction, its group: bases and lanes
move on as they did last time, or as the row before did, or go where they went the last time that
the lane's address before was the same, as indices read from memory do. Rows are filled in while the
coder decodes, and only looked at while it does not. All arithmetic wraps at 64 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..isa.compiled import compiled, entry
from . import path_model
from .entropy import (
    DECODING,
    Coder,
    Numbers,
    choice,
    difference,
    flag,
    folded,
    magnitude,
    mixed,
    number,
)
from .entropy import USED as N
from .kernel import WARP_SIZE

REACH = 32  # rows back in which one like this one is looked for
MEMORY = 1 << 15  # places that remember where a lane went from an address
# Kinds of decisions.
SHIFT, AS_LAST, SHAPE, BASE, STEADY, STRIDE, BACK, OFFSET, LISTED_AS, FIRST, PLACE, STEP = range(
    path_model.KINDS, path_model.KINDS + 12
)
# The shape of a row. It has a base and a stride: the base is where this lane went before, on by the
# last step, by that of the row before, the same, on within the warp, on by the last step that was
# none of these, or none of these.
AFFINE = KNOWN = 0
AGAIN, AS_BEFORE, STILL, WITHIN, JUMPED, ELSEWHERE = range(1, 7)
# Or it is like an earlier row: as far from it as last time, as far as the row before moved, at the
# same place, as far as the last time that it was none of these, or none of these.
LIKE = 8
SAME, STEPPED, EQUAL, JUMPED_FROM, FAR = range(LIKE, LIKE + 5)
# Or a list.
LISTED = 16
SHAPE_BITS = 5
# A listed address: none of these, where this lane went before, as far on as the lane before it, as
# far from that lane as that was from the one before.
APART, REMEMBERED, BESIDE, NEXT = range(4)
# What is known about the rows of an instruction so far.
GROUP = np.dtype(
    [
        ("row", "i8"),  # number of the last one
        ("warp", "i8"),  # that had it
        ("shift", "i8"),  # low bits that are 0 in all addresses
        ("shapes", "i8"),  # of the last rows, the last one in the lowest bits
        ("start", "i8"),
        ("delta", "i8"),  # from the base before
        ("first_start", "i8"),  # of the last warp's first row
        ("first_delta", "i8"),
        ("stride", "i8"),
        ("jump", "i8"),  # the last step that no guess gave
        ("bits", "i8"),  # of the last number
        ("back", "i8"),  # rows between it and the one it is like
        ("offset", "i8"),  # from that one
        ("first_row", "i8"),  # of the last warp
        ("first_offset", "i8"),  # from the row that this one is like
        ("reference", "i8"),  # the first address
        ("cost", "i8", 2),  # bits that numbers took from the reference, and from the last address
        ("last", "i8", WARP_SIZE),  # address that was listed last
        ("step", "i8", WARP_SIZE),  # from the one before
        ("listed_as", "i8", WARP_SIZE),  # how the last ones were
    ]
)
# What is known about the row before.
BEFORE = np.dtype(
    [
        ("group", "i8"),
        ("form", "i8"),
        ("moved", "i8"),  # from where it was expected
        ("address", "i8"),  # the first one
        ("warp", "i8"),
        ("lanes", "i8", WARP_SIZE),  # where each lane was last
    ]
)
# Where a lane went from an address: a hash of both the address and the instruction.
PASSAGE = np.dtype([("key", "i8"), ("address", "i8")])


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
def _code_number(coder, kind, context, value):
    """A number that is seldom said, in one context or in any."""
    coder.contexts[0] = context
    coder.contexts[1] = 0
    coder.state[N] = 2
    return number(coder, kind, value)


@compiled
def _guesses(group, before, fresh, known, guesses):
    """Of a base: as the symbols above say."""
    base = group.first_start if fresh else group.start
    delta = group.first_delta if fresh else group.delta
    guesses[KNOWN] = known
    guesses[AGAIN] = base + delta
    guesses[AS_BEFORE] = base + before.moved
    guesses[STILL] = base
    guesses[WITHIN] = group.start + group.delta
    guesses[JUMPED] = base + group.jump


@compiled
def _guessed(guesses, is_known, address):
    """The shape of a row with this base."""
    for shape in range(ELSEWHERE):
        if guesses[shape] == address and (shape != KNOWN or is_known):
            return shape
    return ELSEWHERE


@compiled
def _distant(group, fresh, moved, offset):
    """The shape of a row that is as far from an earlier one."""
    if offset == (group.first_offset if fresh else group.offset):
        return SAME
    if offset == moved:
        return STEPPED
    if offset == 0:
        return EQUAL
    return JUMPED_FROM if offset == group.jump else FAR


@compiled
def _other_base(coder, group, before, g, fresh, base, address):
    """A base that no guess gives, as the difference to one, or the first of its group."""
    contexts, shift = coder.contexts, group.shift
    if group.row < 0:
        base, shift = before.address, 0
    delta = group.first_delta if fresh else group.delta
    contexts[0] = mixed(g, fresh)
    contexts[1] = mixed(fresh, magnitude(folded(delta)))
    contexts[2] = mixed(mixed(g, fresh), group.bits)
    contexts[3] = mixed(g, delta)
    contexts[4] = mixed(1, before.moved)
    coder.state[N] = 5
    moved = difference(coder, BASE, address - base >> shift)
    group.bits = magnitude(folded(moved))
    return base + (moved << shift)


@compiled
def _code_stride(coder, group, g, stride):
    contexts = coder.contexts
    contexts[0] = g
    contexts[1] = 0
    contexts[2] = mixed(g, group.stride)
    coder.state[N] = 3
    return difference(coder, STRIDE, stride)


@compiled
def _code_affine(coder, group, before, g, fresh, mask, shape, guess, steady, stride, addresses):
    """The addresses of a row with a base, for which the shape gives this guess, and a stride."""
    base, lane, address = group.first_start if fresh else group.start, lowest_lane(mask), guess
    if shape == ELSEWHERE:
        address = _other_base(coder, group, before, g, fresh, base, addresses[lane])
        group.jump = address - base
    if mask & mask - 1:
        group.stride = group.stride if steady else _code_stride(coder, group, g, stride)
    if fresh:
        group.first_delta, group.first_start = address - group.first_start, address
    group.delta, group.start = address - group.start, address
    before.moved = address - base
    for k in range(lane, WARP_SIZE):
        if mask >> k & 1:
            addresses[k] = address + (k - lane) * group.stride


@compiled
def _other_offset(coder, group, g, offset):
    contexts = coder.contexts
    contexts[0] = mixed(g, group.back)
    contexts[1] = 0
    contexts[2] = mixed(g, group.offset)
    coder.state[N] = 3
    return difference(coder, OFFSET, offset)


@compiled
def _code_like(coder, group, before, g, fresh, mask, shape, offset, others, addresses):
    """The addresses of a row at some distance from another one."""
    if shape == SAME:
        offset = group.first_offset if fresh else group.offset
    elif shape == STEPPED:
        offset = before.moved
    elif shape == EQUAL:
        offset = 0
    elif shape == JUMPED_FROM:
        offset = group.jump
    else:
        offset = group.jump = _other_offset(coder, group, g, offset)
    if fresh:
        group.first_offset = offset
    else:
        group.offset = offset
    if group.back == 0:
        before.moved = offset
    for lane in range(WARP_SIZE):
        if mask >> lane & 1:
            addresses[lane] = others[lane] + offset


@compiled
def _apart(coder, group, before, g, lane, delta, address):
    """A listed address that nothing gives: from the reference, or from the lane's last one."""
    contexts, last, shift = coder.contexts, group.last[lane], group.shift
    if group.row < 0 and delta == 0 and group.reference == 0:
        contexts[0] = 0
        coder.state[N] = 1
        address = before.address + difference(coder, FIRST, address - before.address)
        group.reference = address
        return address
    if group.cost[0] <= group.cost[1]:
        contexts[0] = g
        contexts[1] = mixed(g, before.lanes[lane])
        contexts[2] = mixed(g, lane)
        coder.state[N] = 3
        found = number(coder, PLACE, (address ^ group.reference) >> shift)
        address = group.reference ^ found << shift
    else:
        step = group.step[lane]
        contexts[0] = mixed(g, magnitude(folded(delta)))
        contexts[1] = mixed(g, magnitude(folded(step)))
        contexts[2] = g
        contexts[3] = mixed(g, delta)
        contexts[4] = mixed(g, step)
        contexts[5] = mixed(contexts[0], magnitude(folded(step)))
        coder.state[N] = 6
        address = last + (difference(coder, STEP, address - last >> shift) << shift)
    sizes = magnitude(address ^ group.reference), magnitude(folded(address - last))
    for way in range(2):
        group.cost[way] += sizes[way] - (group.cost[way] >> 5)
    return address


@compiled(inline=False)
def _code_list(coder, group, before, memory, g, mask, addresses):
    contexts = coder.contexts
    delta, symbol, earlier = 0, 0, 0
    gap, behind = group.stride, 0
    for lane in range(WARP_SIZE):
        if not mask >> lane & 1:
            continue
        key, place = _place(g, before.lanes[lane])
        known, is_known = memory[place].address, memory[place].key == key
        last = group.last[lane]
        address, as_last = addresses[lane], group.listed_as[lane]
        agree = is_known << 2 | (known == last + delta) << 1 | (last + delta == behind + gap)
        contexts[0] = mixed(g, agree)
        contexts[1] = mixed(mixed(g, symbol), agree)
        contexts[2] = mixed(mixed(g, symbol), earlier)
        contexts[3] = mixed(mixed(g, as_last), agree)
        coder.state[N] = 4
        earlier = symbol
        if is_known and address == known:
            symbol = REMEMBERED
        else:
            far = address - last
            symbol = BESIDE if far == delta else NEXT if address == behind + gap else APART
        symbol = choice(coder, LISTED_AS, 2, symbol)
        if symbol == REMEMBERED:
            address = known
        elif symbol == BESIDE:
            address = last + delta
        elif symbol == NEXT:
            address = behind + gap
        else:
            address = _apart(coder, group, before, g, lane, delta, address)
        delta = address - last
        if behind:
            gap = address - behind
        behind = address
        memory[place].key, memory[place].address = key, address
        group.last[lane], group.step[lane] = address, delta
        group.listed_as[lane] = (as_last << 2 | symbol) & 15
        addresses[lane] = address
    group.stride = gap
    return delta


def code_rows(
    coder: Coder,
    row_groups: Numbers,
    masks: Numbers,
    new_warp: NDArray[np.uint8],
    shifts: Numbers,
    addresses: Numbers,
) -> bool:
    """Code all rows; returns False for what cannot be.

    `new_warp` is set where a warp's rows begin; `shifts` are the numbers of low bits that are 0, of
    each group.
    """
    groups = np.zeros(len(shifts), GROUP).view(np.recarray)
    groups["row"] = groups["first_row"] = groups["warp"] = -1
    before = np.zeros(1, BEFORE).view(np.recarray)
    memory = np.zeros(MEMORY, PASSAGE).view(np.recarray)
    state = groups, before, memory
    return bool(_code_rows(coder, *state, row_groups, masks, new_warp, shifts, addresses))


@compiled
def _code_shape(coder, group, before, g, agree, shape, steady):
    """What a row is, and whether its stride, or how far back it looks, is that of the last one."""
    contexts, last = coder.contexts, group.shapes & (1 << SHAPE_BITS) - 1
    here = mixed(g, last)
    contexts[0] = mixed(here, agree)
    contexts[1] = mixed(here, group.shapes & 0x7FFF)
    contexts[2] = mixed(mixed(here, before.group), before.form)
    contexts[3] = mixed(mixed(last, agree), before.form)
    contexts[4] = mixed(mixed(here, group.shapes), agree & 1)
    contexts[5] = mixed(here, group.delta)
    coder.state[N] = 6
    if flag(coder, AS_LAST, np.int64(shape == last and steady)):
        return last, True
    shape = choice(coder, SHAPE, SHAPE_BITS, shape)
    coder.state[N] = 3
    return shape, flag(coder, STEADY, np.int64(steady)) == 1


@compiled
def _agree(guesses, is_known, fresh):
    """Which guesses are the same."""
    again = guesses[AGAIN]
    same = is_known << 3 | (guesses[KNOWN] == again) << 2
    same |= (again == guesses[AS_BEFORE]) << 1 | (again == guesses[STILL])
    return same << 1 | fresh


@compiled
def _take_note(group, before, g, row, fresh, mask, shape, addresses):
    """After a row."""
    first = addresses[lowest_lane(mask)]
    if group.row < 0:
        group.reference = first
    group.shapes = (group.shapes << SHAPE_BITS | shape) & 0x7FFFFFFFF
    group.warp, group.row = before.warp, row
    if fresh:
        group.first_row = row
    before.group, before.form, before.address = g, shape, first
    for lane in range(WARP_SIZE):
        if mask >> lane & 1:
            before.lanes[lane] = addresses[lane]


@entry
def _code_rows(coder, groups, befores, memory, row_groups, masks, new_warp, shifts, addresses):
    before, guesses, shift = befores[0], np.zeros(ELSEWHERE, np.int64), 0
    for row in range(len(row_groups)):
        mask, g, values = masks[row], row_groups[row], addresses[row]
        if new_warp[row]:
            before.lanes[:] = 0
            before.warp += 1
            before.group, before.form, before.moved = len(groups), 0, 0
        if mask == 0:
            continue
        group = groups[g]
        if group.row < 0:
            group.shift = shift = _code_number(coder, SHIFT, shift, shifts[g])
            if not 0 <= shift < 64:
                return False
        lane, fresh = lowest_lane(mask), group.warp != before.warp
        key, place = _place(g, before.lanes[lane])
        is_known = memory[place].key == key
        _guesses(group, before, fresh, memory[place].address, guesses)
        likely = group.first_row if fresh else group.row
        shape, detail, offset, steady = LISTED, 0, 0, True
        if not coder.state[DECODING]:
            shape, detail, offset = _fit(addresses, masks, row, likely)
        if shape == AFFINE:
            shape = _guessed(guesses, is_known, values[lane])
            steady = mask & mask - 1 == 0 or detail == group.stride
        elif shape == LIKE:
            shape = _distant(group, fresh, before.moved, offset)
            steady = detail == group.back
        agree = _agree(guesses, is_known, fresh)
        shape, steady = _code_shape(coder, group, before, g, agree, shape, steady)
        if shape <= ELSEWHERE:
            guess = guesses[min(shape, JUMPED)]
            _code_affine(coder, group, before, g, fresh, mask, shape, guess, steady, detail, values)
            memory[place].key, memory[place].address = key, values[lane]
        elif LIKE <= shape <= FAR:
            back = group.back if steady else _code_number(coder, BACK, g, detail)
            earlier = row - back if back else likely
            if not 0 <= back <= REACH or earlier < 0:
                return False
            group.back = back
            _code_like(
                coder, group, before, g, fresh, mask, shape, offset, addresses[earlier], values
            )
        elif shape == LISTED:
            before.moved = _code_list(coder, group, before, memory, g, mask, values)
        else:
            return False
        _take_note(group, before, g, row, fresh, mask, shape, values)
    return True
