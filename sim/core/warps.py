"""The warps of a sub-core: their place in the trace, their age, their end (sm-core 1.4 to 1.6)."""

from __future__ import annotations

from ..compiled import compiled, lowest, record, u
from .limits import WARPS

State = record(
    ("resident", "i4"),  # warp slots in use
    ("exited", "i4"),  # warps that issued their last instruction and still have some in flight
    ("serial", "i8", WARPS),  # launch order; the highest is the youngest
    ("position", "i8", WARPS),  # next instruction in the array of path elements
    ("left", "i8", WARPS),  # dynamic instructions not issued yet
    ("access", "i8", WARPS),  # next row of the address stream
    ("clock", "i8", WARPS),  # next element for a clock read
    ("cta_slot", "i2", WARPS),
    ("cta", "i4", WARPS),
    ("number", "i2", WARPS),  # in its CTA
    ("unit", "i2", WARPS),  # of the next instruction
    ("unacknowledged", "i4", WARPS),  # stores on their way to the L2, if somebody asks
)


@compiled
def _by_age(warps, among, sign):
    """The warp of a mask, which is not 0, whose serial number times `sign` is largest."""
    best = lowest(among)
    among &= among - 1
    while among:
        warp = lowest(among)
        among &= among - 1
        if sign * warps.serial[u(warp)] > sign * warps.serial[u(best)]:
            best = warp
    return best


@compiled
def youngest(warps, among):
    """The youngest warp of a mask that is not 0."""
    return _by_age(warps, among, 1)


@compiled
def oldest(warps, among):
    """The oldest warp of a mask that is not 0."""
    return _by_age(warps, among, -1)


@compiled
def following(among, warp):
    """The next place after `warp` in a mask that is not 0, wrapping around."""
    later = among & (-2 << warp)
    return lowest(later if later else among)
