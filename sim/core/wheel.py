"""A sub-core's timing wheel: what will change, and in which cycle the issue logic sees it.

One bit a warp says that its stall count ends in a slot's cycle; everything else is a linked event.
"""

from __future__ import annotations

from ..compiled import compiled, lowest, record, u

SLOTS = 128  # cycles of one turn; an event farther away waits another turn
BITS = 32  # slots of an occupancy word
WORDS = SLOTS // BITS
EVENTS = 512


# Kinds of event.
COUNTER = 0  # a dependence counter changes by `delta`
GATE = 1  # a DEPBAR takes effect
RELEASE = 2  # a CTA barrier lets the warp go
REDIRECT = 3  # the target of a taken branch may be fetched
RECHECK = 4  # the scoreboards may let the warp issue
FENCE = 5  # a memory fence has held its warp long enough
PLACE = 6  # a place in the result queue is free
DONE = 7  # an instruction is done, and its warp may be gone


State = record(
    ("occupied", "i8", WORDS),  # one bit a slot
    ("n_events", "i2"),  # ever taken from the pool
    ("free", "i2"),  # first event given back
    ("overflow", "i2"),  # an event did not fit: the run must end
    ("stall_end", "i4", SLOTS),  # warps
    ("head", "i2", SLOTS),  # first event, numbered from 1; 0: none
    ("next", "i2", EVENTS + 1),
    ("what", "i2", EVENTS + 1),
    ("warp", "i2", EVENTS + 1),
    ("counter", "i2", EVENTS + 1),
    ("delta", "i1", EVENTS + 1),
    ("pc", "i4", EVENTS + 1),
    ("due", "i8", EVENTS + 1),  # cycle
)


@compiled
def _occupy(wheel, cycle):
    slot = cycle & (SLOTS - 1)
    wheel.occupied[u(slot // BITS)] |= 1 << (slot % BITS)
    return slot


@compiled
def end_stall(wheel, warp, cycle):
    """Let `warp` issue again from `cycle` on."""
    slot = _occupy(wheel, cycle)
    wheel.stall_end[u(slot)] |= 1 << warp


@compiled
def insert(wheel, now, event):
    """Put an event into the slot of its cycle, or into the last one of this turn."""
    slot = _occupy(wheel, min(wheel.due[u(event)], now + SLOTS - 1))
    wheel.next[u(event)] = wheel.head[u(slot)]
    wheel.head[u(slot)] = event


@compiled
def post(wheel, now, cycle, what, warp, counter, delta, pc):
    """Let an event happen in `cycle`, which is later than `now`."""
    event = int(wheel.free)
    if event:
        wheel.free = wheel.next[u(event)]
    elif wheel.n_events < EVENTS:
        wheel.n_events += 1
        event = int(wheel.n_events)
    if event == 0 or cycle <= now:
        wheel.overflow = 1
        return
    wheel.what[u(event)] = what
    wheel.warp[u(event)] = warp
    wheel.counter[u(event)] = counter
    wheel.delta[u(event)] = delta
    wheel.pc[u(event)] = pc
    wheel.due[u(event)] = cycle
    insert(wheel, now, event)


@compiled
def next_after(wheel, now, never):
    """The first occupied cycle after `now`, or `never`."""
    start = (now + 1) & (SLOTS - 1)
    word = start // BITS
    bits = int(wheel.occupied[u(word)]) & (-1 << (start % BITS))
    for _ in range(WORDS + 1):  # the first word once more, for its slots before `start`
        if bits:
            slot = word * BITS + lowest(bits)
            return now + 1 + ((slot - start) & (SLOTS - 1))
        word = (word + 1) & (WORDS - 1)
        bits = int(wheel.occupied[u(word)])
    return never


@compiled
def vacate(wheel, now):
    """Empty the slot of `now`: its first event (0: none) and the warps whose stall ends."""
    slot = now & (SLOTS - 1)
    bit = 1 << (slot % BITS)
    if wheel.occupied[u(slot // BITS)] & bit == 0:
        return 0, 0
    wheel.occupied[u(slot // BITS)] &= ~bit
    event = int(wheel.head[u(slot)])
    stall_end = int(wheel.stall_end[u(slot)])
    wheel.head[u(slot)] = 0
    wheel.stall_end[u(slot)] = 0
    return event, stall_end


@compiled
def postpone(wheel, now, event):
    """Put a vacated event that is not due back; gives the next one of its slot."""
    following = int(wheel.next[u(event)])
    insert(wheel, now, event)
    return following


@compiled
def give_back(wheel, event):
    """Return an event to the pool; gives the next one of its slot."""
    following = int(wheel.next[u(event)])
    wheel.next[u(event)] = wheel.free
    wheel.free = event
    return following
