"""A small queue of instructions in flight, ordered by the cycle in which something is due."""

from __future__ import annotations

from typing import Any

from ..compiled import compiled, record, u

ENTRY = record(
    ("at", "i8"),  # cycle in which it is due
    ("event", "i8"),  # row of the event table, -1: not recorded
    ("access", "i8"),  # row of the address stream
    ("pc", "i4"),
    ("warp", "i2"),
)


def queue_of(capacity: int) -> Any:
    """Record type of a queue; `capacity` is a power of two."""
    return record(
        ("head", "i8"),
        ("tail", "i8"),
        ("entry", ENTRY, capacity),
        ("overflow", "i2"),  # an entry did not fit: the run must end
    )


@compiled
def length(queue):
    """Entries in the queue."""
    return queue.tail - queue.head


@compiled
def front(queue):
    """The entry that is due first; the queue is not empty."""
    return queue.entry[u(queue.head % len(queue.entry))]


@compiled
def pop(queue):
    """Drop the front entry."""
    queue.head += 1


@compiled(inline=True)
def push(queue, at, warp, pc, access, event):
    """Insert behind all entries that are due no later than `at`."""
    capacity = len(queue.entry)
    if length(queue) == capacity:
        queue.overflow = 1
        return
    place = queue.tail
    while place > queue.head and queue.entry[u((place - 1) % capacity)].at > at:
        queue.entry[u(place % capacity)] = queue.entry[u((place - 1) % capacity)]
        place -= 1
    entry = queue.entry[u(place % capacity)]
    entry.at = at
    entry.warp = warp
    entry.pc = pc
    entry.access = access
    entry.event = event
    queue.tail += 1
