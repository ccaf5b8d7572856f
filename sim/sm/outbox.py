"""What an SM sends to the L2 and gets back; the only contact between SMs (engine 4.5).

Requests of a window lie in the out box in order of time, where the L2 notes its answers. They go to
the in box, sorted by arrival, when the next window begins: no answer falls into the window of its
request.
"""

from __future__ import annotations

from ..compiled import compiled, record, u

CAPACITY = 2048  # the data stage sends four lines a cycle, in the longest window
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


@compiled
def is_atomic(kind):
    """Whether a request of this kind changes what is in the L2."""
    return kind in (ATOMIC, REDUCTION)


REQUEST = record(
    ("line", "i8"),
    ("sent", "i8"),  # when it leaves the SM: at first when it may, then when it does
    ("answer", "i8"),  # when the answer is in the SM: at first as the SM's way in has room for it
    ("id", "i4"),  # the SM's own number for it: comes back with the answer
    ("kind", "i2"),
    ("sectors", "i2"),
    ("prefetch", "i2"),  # sectors that the L2 fetches together, aligned
    ("bytes", "i4"),  # of a store that leaves sectors incomplete
    ("turns", "i2"),  # of an atomic, at its slice
    ("whole", "i2"),  # sectors of which a store writes all bytes
    ("slice", "i2"),
    ("late", "i4"),  # cycles that translation of its address adds
)

REPLY = record(("at", "i8"), ("id", "i4"), ("kind", "i2"))

OUT = record(
    ("n", "i8"),
    ("sent", "i8"),  # requests that have left the SM
    ("stores_done", "i8"),  # cycle in which the last store is acknowledged
    ("at", "i8", CAPACITY),  # cycle in which each was made; requests are in order of time
    ("channel", "i2", CAPACITY),  # of the memory behind its slice
    ("request", REQUEST, CAPACITY),
)
IN = record(("head", "i8"), ("tail", "i8"), ("reply", REPLY, REPLIES), ("overflow", "i2"))


@compiled
def room(sm, n):
    """Whether `n` more requests fit into this window's box."""
    return sm.out.n + n <= CAPACITY


@compiled
def push(sm, at, delay, kind, line, sectors, number):
    """Send a request; the caller has asked for room, and fills in what only its kind needs."""
    request = sm.out.request[u(sm.out.n)]
    sm.out.at[u(sm.out.n)] = at
    request.sent = at + delay
    request.line = line
    request.id = number
    request.kind = kind
    request.sectors = sectors
    request.prefetch = 1
    sm.out.n += 1
    return request


@compiled
def _deliver(box, at, kind, number):
    """Put an answer into the in box, behind all that arrive no later."""
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


@compiled
def collect(sm):
    """Take the answers to all requests of the last window."""
    out = sm.out
    for k in range(out.n):
        request = out.request[u(k)]
        stores = is_store(request.kind)
        if stores:
            out.stores_done = max(out.stores_done, request.answer)
        if not stores or request.id:
            _deliver(sm.inbox, request.answer, request.kind, request.id)
    out.n = out.sent = 0
