"""The loops over lanes behind `address_columns`: all rows in the order of their groups.

`rows` numbers the rows of `addresses`, `group` and `masks` are those of each of them, `last` is
room for an address per lane. Integers are signed and wrap at 64 bits.
"""

from ..isa.compiled import compiled, entry
from .kernel import WARP_SIZE

HIGHEST = (1 << 63) - 1


@compiled
def lowest_lane(mask):
    """Number of the lowest set lane; `mask` is not 0."""
    lane = 0
    while not mask >> lane & 1:
        lane += 1
    return lane


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


@entry
def collect_bits(rows, group, masks, addresses, origin, bits):
    """The bits in which the addresses of each group differ from its origin."""
    for k in range(len(rows)):
        for lane in range(WARP_SIZE):
            if masks[k] >> lane & 1:
                bits[group[k]] |= addresses[rows[k], lane] - origin[group[k]]


@entry
def subtract(rows, group, masks, addresses, listed, origin, shift, last, bases, lists):
    """Differences of the bases to the group's last one, of listed addresses to the lane's."""
    n_bases = n_lists = 0
    for k in range(len(rows)):
        g = group[k]
        if k == 0 or g != group[k - 1]:
            last[:] = origin[g]
            last_base = origin[g]
        values, mask = addresses[rows[k]], masks[k]
        if not listed[k]:
            base = values[lowest_lane(mask)]
            bases[n_bases] = base - last_base >> shift[g]
            last_base = base
            n_bases += 1
            continue
        for lane in range(WARP_SIZE):
            if mask >> lane & 1:
                lists[n_lists] = values[lane] - last[lane] >> shift[g]
                last[lane] = values[lane]
                n_lists += 1


@entry
def add(rows, group, masks, listed, origin, shift, last, bases, strides, lists, addresses):
    """Inverse of `subtract`: fill in the addresses of all rows."""
    n_bases = n_lists = stride = 0
    for k in range(len(rows)):
        g = group[k]
        if k == 0 or g != group[k - 1]:
            last[:] = origin[g]
            base = origin[g]
        values, mask = addresses[rows[k]], masks[k]
        if not listed[k]:
            base += unfolded(bases[n_bases]) << shift[g]
            stride += unfolded(strides[n_bases])
            first = lowest_lane(mask)
            for lane in range(first, WARP_SIZE):
                if mask >> lane & 1:
                    values[lane] = base + (lane - first) * stride
            n_bases += 1
            continue
        for lane in range(WARP_SIZE):
            if mask >> lane & 1:
                last[lane] += unfolded(lists[n_lists]) << shift[g]
                values[lane] = last[lane]
                n_lists += 1
