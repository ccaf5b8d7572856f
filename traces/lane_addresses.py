"""The loops over lanes behind `address_columns`: all rows in the order of their groups.

`rows` numbers the rows of `addresses`, `group` and `masks` are those of each of them, `last` is
room for an address per lane. Integers are signed and wrap at 64 bits.
"""

from ..isa.compiled import compiled, entry
from .kernel import WARP_SIZE

HIGHEST = (1 << 63) - 1
REACH = 32  # rows back in which one like this one is looked for
# What a row is stored as.
AFFINE, LISTED, LIKE = range(3)


@compiled
def lowest_lane(mask):
    """Number of the lowest set lane; `mask` is not 0."""
    lane = 0
    while not mask >> lane & 1:
        lane += 1
    return lane


@compiled
def folded(number):
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ...: small numbers of both signs have small bytes."""
    return number << 1 ^ number >> 63


@compiled
def unfolded(number):
    """0, 1, 2, 3, ... as 0, -1, 1, -2, ..."""
    return number >> 1 & HIGHEST ^ -(number & 1)


@entry
def fit(rows, group, masks, addresses, listed, base, stride, origin):
    """Base and stride of each row, whether they fail to give all its addresses, and each origin."""
    for k in range(len(rows)):
        values, mask = addresses[rows[k]], masks[k]
        first = lowest_lane(mask)
        base[k] = values[first]
        if mask & mask - 1:
            second = lowest_lane(mask & mask - 1)
            stride[k] = (values[second] - base[k]) // (second - first)
        for lane in range(first, WARP_SIZE):
            if mask >> lane & 1:
                listed[k] |= values[lane] != base[k] + (lane - first) * stride[k]
                origin[group[k]] = min(origin[group[k]], values[lane])


@compiled
def _distance(values, others, mask):
    """What all lanes of `mask` add to the other row's addresses; 0 and False if they differ."""
    first = lowest_lane(mask)
    distance = values[first] - others[first]
    for lane in range(first, WARP_SIZE):
        if mask >> lane & 1 and values[lane] - others[lane] != distance:
            return 0, False
    return distance, True


@entry
def relate(rows, masks, addresses, place, form, like, offset):
    """Of listed rows: how many rows before it one is that differs by the same in all lanes.

    `place` numbers the rows of `addresses` in the order of the groups, in which they are read.
    """
    for k in range(len(rows)):
        row, mask = rows[k], masks[k]
        if form[k] != LISTED:
            continue
        for back in range(1, min(REACH, row) + 1):
            earlier = place[row - back]
            if 0 <= earlier < k and masks[earlier] & mask == mask:
                distance, same = _distance(addresses[row], addresses[row - back], mask)
                if same:
                    form[k], like[k], offset[k] = LIKE, back, distance
                    break


@entry
def collect_bits(rows, group, masks, addresses, origin, bits):
    """The bits in which the addresses of each group differ from its origin."""
    for k in range(len(rows)):
        for lane in range(WARP_SIZE):
            if masks[k] >> lane & 1:
                bits[group[k]] |= addresses[rows[k], lane] - origin[group[k]]


@entry
def subtract(
    rows, group, masks, addresses, form, offset, origin, shift, steady, last, bases, offsets, lists
):
    """Differences of bases and offsets to the group's last one, of listed addresses to the lane's.

    Differences are folded. In `steady` groups listed addresses differ from the origin instead,
    which is the lowest of them.
    """
    n_bases = n_offsets = n_lists = 0
    for k in range(len(rows)):
        g = group[k]
        if k == 0 or g != group[k - 1]:
            last[:] = origin[g]
            last_base = origin[g]
            last_offset = 0
        values, mask = addresses[rows[k]], masks[k]
        if form[k] == AFFINE:
            base = values[lowest_lane(mask)]
            bases[n_bases] = folded(base - last_base >> shift[g])
            last_base = base
            n_bases += 1
        elif form[k] == LIKE:
            offsets[n_offsets] = folded(offset[k] - last_offset)
            last_offset = offset[k]
            n_offsets += 1
        else:
            for lane in range(WARP_SIZE):
                if mask >> lane & 1:
                    difference = values[lane] - last[lane] >> shift[g]
                    if not steady[g]:
                        difference = folded(difference)
                        last[lane] = values[lane]
                    lists[n_lists] = difference
                    n_lists += 1


@entry
def add(
    rows,
    group,
    masks,
    form,
    origin,
    shift,
    steady,
    last,
    bases,
    strides,
    like,
    offsets,
    lists,
    addresses,
):
    """Inverse of `subtract`: fill in the addresses of all rows."""
    n_bases = n_offsets = n_lists = stride = 0
    for k in range(len(rows)):
        g = group[k]
        if k == 0 or g != group[k - 1]:
            last[:] = origin[g]
            base = origin[g]
            offset = 0
        values, mask = addresses[rows[k]], masks[k]
        if form[k] == AFFINE:
            base += unfolded(bases[n_bases]) << shift[g]
            stride += unfolded(strides[n_bases])
            first = lowest_lane(mask)
            for lane in range(first, WARP_SIZE):
                if mask >> lane & 1:
                    values[lane] = base + (lane - first) * stride
            n_bases += 1
        elif form[k] == LIKE:
            others = addresses[rows[k] - like[n_offsets]]
            offset += unfolded(offsets[n_offsets])
            for lane in range(WARP_SIZE):
                if mask >> lane & 1:
                    values[lane] = others[lane] + offset
            n_offsets += 1
        else:
            for lane in range(WARP_SIZE):
                if mask >> lane & 1:
                    difference = lists[n_lists] if steady[g] else unfolded(lists[n_lists])
                    values[lane] = last[lane] + (difference << shift[g])
                    if not steady[g]:
                        last[lane] = values[lane]
                    n_lists += 1
