"""An adaptive arithmetic coder: what the model of a trace expects takes a small part of a bit.

Every decision is coded with a probability that several contexts agree on. A context remembers how
often it saw a 1; the weights with which contexts are heard adapt to who was right (context mixing,
as in the PAQ compressors of M. Mahoney). Coding and decoding run the same code, so a model is
written once: `bit` and all that is built on it take a value and return it, and while decoding they
ignore what they take. Only integers are used, so all machines find the same bytes.

A coder reads zeros behind its end; models must not trust what they decode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..isa.compiled import compiled, entry
from ..isa.errors import InputError

Numbers: TypeAlias = NDArray[np.int64]

u = np.uint64

INPUTS: Final = 9  # contexts that a decision may have
KINDS: Final = 24  # of decisions: each has contexts and weights of its own
SETS: Final = 128  # of weights that a kind has
ROOM: Final = 1 << 20  # bytes that are enough for most

# Logarithms of odds, in steps of 1/256, and probabilities in 1/65536.
STEPS = 256
EDGE = 12 * STEPS - 1
SQUASH = np.clip(np.rint(65536 / (1 + np.exp(-np.arange(-EDGE, EDGE + 1) / STEPS))), 4, 65532)
SQUASH = SQUASH.astype(np.uint16)  # small, to stay near the core
_ODDS = (np.arange(4096) + 0.5) / (4095.5 - np.arange(4096))
STRETCH = np.rint(np.log(_ODDS) * STEPS).astype(np.int16)  # by the upper 12 bits of a probability
# A slot has a probability in its upper 22 bits, and how often it was used in the others.
COUNT_BITS = 10
COUNTED = 1000  # it adapts no slower after so many times
HALF = 1 << 31
# How far a slot that was used so often moves to what it sees, in 1/65536.
PACE = (655_360 // (10 * np.arange(COUNTED + 1) + 12)).astype(np.uint16)
WEIGHT = 24_000  # of each context at first, in 1/65536
# Of weights: at first, in the end, and by how much it falls with use.
RATE, LAST_RATE, RATE_SHIFT = 16, 2, 6
LOW_16, LOW_32 = (1 << 16) - 1, (1 << 32) - 1
FIRST_PRIME, SECOND_PRIME = 0x2545F491, 0x1B873593  # of 30 bits: products have no sign
LARGE = 31  # bits of a number from which on its size is said apart
BELOW = 2  # contexts that predict the bits below the highest
AHEAD = 3  # bytes that a decoder reads before they are needed, beyond the one that ends the code
# What `Coder.state` holds: the range, the bits read, bytes done, whether it decodes, contexts set.
LOW, HIGH, CODE, PLACE, DECODING, USED = range(6)


class Coder(NamedTuple):
    """All that a coder changes."""

    slots: NDArray[np.uint32]  # (INPUTS, a power of two)
    weights: NDArray[np.int32]  # (KINDS * SETS, INPUTS + 1), the last is how often they were used
    contexts: NDArray[np.int64]  # (INPUTS,), of the next decision
    places: NDArray[np.int64]  # (INPUTS,), slots of the current one
    opinions: NDArray[np.int64]  # (INPUTS,), what they say
    state: NDArray[np.int64]
    octets: NDArray[np.uint8]


class Memory(NamedTuple):
    """What a coder has learned."""

    slots: NDArray[np.uint32]
    weights: NDArray[np.int32]

    def copy(self) -> Memory:
        return Memory(self.slots.copy(), self.weights.copy())


def untaught(slot_bits: int) -> Memory:
    """That of a coder which has seen nothing."""
    weights = np.full((KINDS * SETS, INPUTS + 1), WEIGHT, np.int32)
    weights[:, INPUTS] = 0
    return Memory(np.full((INPUTS, 1 << slot_bits), HALF, np.uint32), weights)


def encoded(write: Callable[[Coder], object], memory: Memory) -> bytes:
    """What `write` codes with such a memory; it is called again where room is short."""
    room = ROOM
    while True:
        coder = _coder(np.empty(room, np.uint8), memory.copy(), decoding=False)
        write(coder)
        finish(coder)
        size = int(coder.state[PLACE])
        if size <= room:
            return coder.octets[:size].tobytes()
        room = size


def decoder(data: bytes, memory: Memory) -> Coder:
    """A coder that decodes what `encoded` returned with the same memory, which this one changes."""
    coder = _coder(np.frombuffer(bytearray(data), np.uint8), memory, decoding=True)
    start(coder)
    return coder


def check_end(coder: Coder) -> None:
    """Raise unless a decoder has read all of its bytes."""
    found, expected = len(coder.octets), int(coder.state[PLACE]) - AHEAD
    if found != expected:
        raise InputError(f"{found} bytes found, expected {expected}")


def _coder(octets: NDArray[np.uint8], memory: Memory, decoding: bool) -> Coder:
    state = np.zeros(6, np.int64)
    state[HIGH], state[DECODING] = LOW_32, decoding
    contexts, places, opinions = np.zeros((3, INPUTS), np.int64)
    return Coder(*memory, contexts, places, opinions, state, octets)


@compiled
def _octet(coder):
    """The next byte, or 0."""
    place = coder.state[PLACE]
    coder.state[PLACE] += 1
    return np.int64(coder.octets[place]) if place < len(coder.octets) else np.int64(0)


@compiled
def _put(coder, octet):
    place = coder.state[PLACE]
    if place < len(coder.octets):
        coder.octets[place] = octet
    coder.state[PLACE] += 1


@entry
def start(coder):
    """Read the first bytes of a code."""
    for _ in range(AHEAD + 1):
        coder.state[CODE] = coder.state[CODE] << 8 | _octet(coder)


@entry
def finish(coder):
    """Write the byte that ends a code; zeros are read behind it."""
    _put(coder, (coder.state[LOW] >> 24) + 1)


@compiled(inline=True)
def _narrow(coder, probability, value):
    """Code one bit that is 1 with a probability, in 1/65536: choose that part of the range."""
    state = coder.state
    low, high = state[LOW], state[HIGH]
    span = high - low
    middle = low + (span >> 16) * probability + ((span & 0xFFFF) * probability >> 16)
    if state[DECODING]:
        value = np.int64(state[CODE] <= middle)
    if value:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) >> 24 == 0:
        if state[DECODING]:
            state[CODE] = (state[CODE] << 8 & LOW_32) | _octet(coder)
        else:
            _put(coder, low >> 24)
        low = low << 8 & LOW_32
        high = (high << 8 & LOW_32) | 0xFF
    state[LOW], state[HIGH] = low, high
    return value


@compiled
def mixed(first, second):
    """A context that both numbers decide."""
    product = (first & LOW_32) * FIRST_PRIME + ((second ^ second >> 32) & LOW_32) * SECOND_PRIME
    return (product ^ product >> 31) & LOW_32


@compiled
def _adapted(slot, value):
    count = slot & (1 << COUNT_BITS) - 1
    old = slot >> COUNT_BITS
    new = old + (((value << 22) - old) * np.int64(PACE[u(count)]) >> 16)
    new = min(max(new, 1), (1 << 22) - 1)
    return np.uint32(new << COUNT_BITS | min(count + 1, COUNTED))


@compiled(inline=True)
def bit(coder, kind, weighting, node, value):
    """Code a bit: the `node`-th decision of this kind, in the contexts that are set."""
    salt = mixed(kind, node)
    slots, weights = coder.slots, coder.weights[u(kind * SETS + weighting)]
    last = slots.shape[1] - 1
    used = coder.state[u(USED)]
    total = 0
    for k in range(used):
        place = ((coder.contexts[u(k)] + salt & LOW_32) * FIRST_PRIME >> 26) & last
        opinion = np.int64(STRETCH[u(slots[u(k), u(place)] >> 20)])
        coder.places[u(k)] = place
        coder.opinions[u(k)] = opinion
        total += opinion * weights[u(k)]
    total = min(max(total >> 16, -EDGE), EDGE)
    probability = np.int64(SQUASH[u(total + EDGE)])
    value = _narrow(coder, probability, value)
    rate = max(LAST_RATE, RATE - (weights[u(INPUTS)] >> RATE_SHIFT))
    error = ((value << 16) - probability) * rate
    weights[u(INPUTS)] = min(weights[u(INPUTS)] + 1, LOW_16)
    for k in range(used):
        weights[u(k)] += (coder.opinions[u(k)] * error + 0x8000) >> 16
        place = u(coder.places[u(k)])
        slots[u(k), place] = _adapted(np.int64(slots[u(k), place]), value)
    return value


@compiled(inline=False)
def flag(coder, kind, value):
    """Code 0 or 1."""
    return bit(coder, kind, 0, 0, value)


@compiled(inline=False)
def choice(coder, kind, width, value):
    """Code a number of `width` bits, of which each is predicted by those above it."""
    node = 1
    for k in range(width - 1, -1, -1):
        node = node << 1 | bit(coder, kind, node & SETS - 1, node, value >> k & 1)
    return node - (1 << width)


@compiled
def magnitude(number):
    """How many bits a number has, taken as one without a sign."""
    size = 0
    while size < 64 and number >> size != 0:
        size += 1
    return size


@compiled(inline=False)
def number(coder, kind, value):
    """Code a number of 64 bits that is likely to be small: its size, and the bits below."""
    size = magnitude(value)
    shown, node = min(size, LARGE), 1
    for k in range(4, -1, -1):
        node = node << 1 | bit(coder, kind, node, node, shown >> k & 1)
    shown = node - 32
    if shown == LARGE:
        for k in range(5, -1, -1):
            node = node << 1 | bit(coder, kind, LARGE, node, size - LARGE >> k & 1)
        size = min((node & 63) + LARGE, 64)
    else:
        size = shown
    if size == 0:
        return np.int64(0)
    result = np.int64(1)
    coder.state[USED] = min(coder.state[USED], BELOW)
    for k in range(size - 2, -1, -1):
        found = bit(coder, kind, 64 + min(k, 63), mixed(size + SETS, result), value >> k & 1)
        result = result << 1 | found
    return result


@compiled
def folded(difference):
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    return difference << 1 ^ difference >> 63


@compiled
def unfolded(number):
    """0, 1, 2, 3, ... as 0, -1, 1, -2, ..."""
    return (number >> 1 & 0x7FFF_FFFF_FFFF_FFFF) ^ -(number & 1)


@compiled
def difference(coder, kind, value):
    """Code a number of 64 bits that is likely to be near 0, on either side."""
    return unfolded(number(coder, kind, folded(value)))
