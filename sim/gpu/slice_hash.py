"""Lines to L2 slices, evenly for any number of slices (memory 5.4).

Each aligned group of n lines visits each of the n slices once. n = p * 2^m with p odd: a rotation
modulo p and an exclusive or with a polynomial residue of degree m. The vendor's hash is not public.
"""

from __future__ import annotations

from ..compiled import compiled, record, u

PRIMITIVE = (1, 0b11, 0b111, 0b1011, 0b10011, 0b100101, 0b1000011, 0b10000011)
KNUTH = 2654435761

STATE = record(
    ("slices", "i8"),
    ("odd", "i8"),  # p
    ("bits", "i8"),  # m
    ("shifted", "i2", 128),  # residue of r * x^m
)


@compiled
def begin(hash_, slices):
    """Split the number of slices and tabulate the shift by m bits."""
    hash_.slices = slices
    hash_.odd = slices
    hash_.bits = 0
    while hash_.odd % 2 == 0:
        hash_.odd //= 2
        hash_.bits += 1
    size = 1 << hash_.bits
    for r in range(size):
        residue = r
        for _ in range(hash_.bits):
            residue <<= 1
            if residue & size:
                residue ^= PRIMITIVE[hash_.bits]
        hash_.shifted[u(r)] = residue


@compiled
def _residue(hash_, x):
    """x as a polynomial over GF(2), modulo the primitive polynomial."""
    bits = hash_.bits
    if bits == 0:
        return 0
    digit = 0
    while x >> digit:
        digit += bits
    residue = 0
    while digit > 0:
        digit -= bits
        residue = int(hash_.shifted[u(residue)]) ^ (x >> digit & ((1 << bits) - 1))
    return residue


@compiled
def slice_of(hash_, line):
    """The slice that holds `line`; within it, the line is number `line // slices`."""
    group = line // hash_.slices
    place = line % hash_.slices
    low, high = place & ((1 << hash_.bits) - 1), place >> hash_.bits
    mixed = group ^ group >> 5 ^ group >> 11 ^ group >> 17
    turn = (mixed & 0xFFFFFFFF) * KNUTH >> 16 & 0xFFFF
    rotated = (high + turn) % hash_.odd
    return rotated << hash_.bits | (low ^ _residue(hash_, group * hash_.odd + high))
