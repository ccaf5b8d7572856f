"""The L0 VL constant cache of an SM, which serves LDC (sm-core 3.5, memory 2.5).

A miss asks the L1.5 through the link of the instruction caches, as a fifth user beside the
sub-cores; loads wait for their lines like loads of global memory.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from ..core import tags
from ..core.limits import NEVER

LINES = 64
MISSES = 128  # an instruction may miss four lines a lane
WORD = 32  # loads in a word of a miss's waiting mask
WORDS = 4

# States of a miss.
FREE = 0
QUEUED = 1  # waits for the port to the L1.5
SENT = 2

State = record(
    ("tags", tags.tags(LINES)),
    ("outstanding", "i8"),
    ("miss_state", "i2", MISSES),
    ("miss_line", "i8", MISSES),
    ("miss_from", "i8", MISSES),  # cycle of the look-up
    ("miss_at", "i8", MISSES),  # cycle in which the line arrives
    ("miss_loads", "i8", (MISSES, WORDS)),  # who waits, one bit each
)


@compiled
def room(vl, lines):
    """Whether so many lines could be missing besides."""
    return vl.outstanding + lines <= MISSES


@compiled
def present(vl, machine, line):
    """Whether `line` is here."""
    way = tags.find(vl.tags, machine.sm.l0_vl.sets, machine.sm.l0_vl.ways, line)
    if way >= 0:
        tags.touch(vl.tags, way)
    return way >= 0


@compiled
def _miss_of(vl, line):
    """The miss of `line`, or a free one; the caller has asked for room."""
    free = -1
    for k in range(MISSES):
        if vl.miss_state[u(k)] == FREE:
            free = k
        elif vl.miss_line[u(k)] == line:
            return k
    return free


@compiled
def wait_for(vl, line, load, begin):
    """Let a load wait for `line`, which is looked up in cycle `begin`."""
    k = _miss_of(vl, line)
    if vl.miss_state[u(k)] == FREE:
        vl.outstanding += 1
        vl.miss_state[u(k)] = QUEUED
        vl.miss_line[u(k)] = line
        vl.miss_from[u(k)] = begin
        vl.miss_at[u(k)] = NEVER
        for word in range(WORDS):
            vl.miss_loads[u(k), u(word)] = 0
    vl.miss_loads[u(k), u(load // WORD)] |= 1 << (load % WORD)


@compiled
def queued(vl, now):
    """A miss that may be sent by now, or -1."""
    if vl.outstanding:
        for k in range(MISSES):
            if vl.miss_state[u(k)] == QUEUED and vl.miss_from[u(k)] <= now:
                return k
    return -1


@compiled
def send(vl, k):
    """A miss passes the port; returns its line."""
    vl.miss_state[u(k)] = SENT
    return vl.miss_line[u(k)]


@compiled
def arrive(vl, machine, l15_line, at):
    """A line of the L1.5 is on its way: the missing lines in it are here in cycle `at`."""
    ratio = machine.sm.l1i.line_bytes // machine.sm.l0_vl.line_bytes
    for k in range(MISSES):
        sent = vl.miss_state[u(k)] == SENT and vl.miss_at[u(k)] == NEVER
        if sent and vl.miss_line[u(k)] // ratio == l15_line:
            vl.miss_at[u(k)] = at


@compiled
def arrived(vl, machine, now):
    """A miss whose line is here, which it leaves in the cache; -1: none. The caller frees it."""
    if vl.outstanding:
        for k in range(MISSES):
            if vl.miss_state[u(k)] == SENT and vl.miss_at[u(k)] <= now:
                line = vl.miss_line[u(k)]
                tags.fill(vl.tags, machine.sm.l0_vl.sets, machine.sm.l0_vl.ways, line)
                return k
    return -1


@compiled
def free(vl, k):
    """The loads of a miss have been served."""
    vl.miss_state[u(k)] = FREE
    vl.outstanding -= 1


@compiled
def next_at(vl, now):
    """The next cycle in which a line arrives or a miss may be sent."""
    at = NEVER
    if vl.outstanding:
        for k in range(MISSES):
            if vl.miss_state[u(k)] == QUEUED:
                at = min(at, max(vl.miss_from[u(k)], now + 1))
            elif vl.miss_state[u(k)] == SENT:
                at = min(at, vl.miss_at[u(k)])
    return at
