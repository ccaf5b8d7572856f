"""The instruction prefetcher of a sub-core: a FIFO of consecutive lines (sm-core 2.5).

Only the head is compared. A prefetched line enters the L0I when a warp has asked for it. A new
stream starts at a miss that the head does not cover; lines of the old one are dropped on return.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from .limits import NEVER

LINES = 32

State = record(
    ("head", "i8"),  # ring positions; tail - head lines are in the FIFO
    ("tail", "i8"),
    ("next", "i8"),  # line to prefetch next
    ("running", "i2"),
    ("requested", "i2"),  # warps wait for the head
    ("epoch", "i8"),  # number of the stream, to know stale replies
    ("line", "i8", LINES),
    ("at", "i8", LINES),  # cycle in which the line arrives
)


@compiled
def head_line(stream):
    """Line at the head of the FIFO, which is not empty."""
    return stream.line[u(stream.head % LINES)]


@compiled
def heads(stream, line):
    """Whether `line` is at the head of the FIFO."""
    return stream.head < stream.tail and head_line(stream) == line


@compiled
def head_at(stream):
    """Cycle in which the head arrives."""
    return stream.at[u(stream.head % LINES)]


@compiled
def arrived(stream, now):
    """Whether the head is here."""
    return stream.head < stream.tail and head_at(stream) <= now


@compiled
def start(stream, line, machine):
    """A miss starts a stream at `line`, unless warps wait for the head or it would go on there."""
    if machine.sm.stream_buffer.lines == 0 or stream.requested:
        return
    if stream.next == line:
        return
    stream.head = stream.tail
    stream.next = line
    stream.running = 1
    stream.epoch += 1


@compiled
def wants(stream, machine):
    """Whether a prefetch is due."""
    return stream.running and stream.tail - stream.head < machine.sm.stream_buffer.lines


@compiled
def push(stream):
    """The next line has been requested."""
    slot = stream.tail % LINES
    stream.line[u(slot)] = stream.next
    stream.at[u(slot)] = NEVER
    stream.tail += 1
    stream.next += 1


@compiled
def arrive(stream, line, epoch, at):
    """The L1I sends `line` of stream `epoch`; it is here in cycle `at`."""
    if epoch != stream.epoch:
        return
    for position in range(stream.head, stream.tail):
        slot = position % LINES
        if stream.line[u(slot)] == line:
            stream.at[u(slot)] = at


@compiled
def pop(stream):
    """The head was handed over."""
    stream.head += 1
    stream.requested = 0
