"""What an SM sends to the L2 and gets back; the only contact between SMs (engine 4.5).

Requests of a window lie in the out box in order of time; the L2 answers into the in box, sorted by
arrival. A request's answer never falls into the window in which it was sent.
"""

from __future__ import annotations

from ..compiled import compiled, record, u

CAPACITY = 4096
REPLIES = 2048

# Kinds of request.
READ = 0
WRITE = 1
ATOMIC = 2
REDUCTION = 3
INSTRUCTION = 4


@compiled
def is_store(kind):
    """Whether a request of this kind brings no data back, but at most an acknowledgement."""
    return kind in (WRITE, REDUCTION)


REQUEST = record(
    ("at", "i8"),  # cycle in which it was made; requests of an SM are in order of time
    ("line", "i8"),
    ("delay", "i4"),  # cycles until it leaves the SM
    ("id", "i4"),  # the SM's own number for it: comes back with the answer
    ("kind", "i2"),
    ("sectors", "i2"),
    ("prefetch", "i2"),  # sectors that the L2 fetches together, aligned
    ("turns", "i2"),  # of an atomic, at its slice
)

REPLY = record(("at", "i8"), ("id", "i4"), ("kind", "i2"))

OUT = record(("n", "i8"), ("request", REQUEST, CAPACITY), ("overflow", "i2"))
IN = record(("head", "i8"), ("tail", "i8"), ("reply", REPLY, REPLIES), ("overflow", "i2"))


@compiled
def room(sm, n):
    """Whether `n` more requests fit into this window's box."""
    return sm.out.n + n <= CAPACITY


@compiled
def push(sm, at, delay, kind, line, sectors, prefetch, turns, number):
    """Send a request; the caller has asked for room."""
    request = sm.out.request[u(sm.out.n)]
    request.at = at
    request.delay = delay
    request.line = line
    request.id = number
    request.kind = kind
    request.sectors = sectors
    request.prefetch = prefetch
    request.turns = turns
    sm.out.n += 1


@compiled(inline=True)
def answer(sm, at, kind, number):
    """Put an answer into the in box, behind all that arrive no later."""
    box = sm.inbox
    if box.tail - box.head == REPLIES:
        box.overflow = 1
        return
    place = box.tail
    while place > box.head and box.reply[u((place - 1) % REPLIES)].at > at:
        box.reply[u(place % REPLIES)] = box.reply[u((place - 1) % REPLIES)]
        place -= 1
    reply = box.reply[u(place % REPLIES)]
    reply.at = at
    reply.kind = kind
    reply.id = number
    box.tail += 1
