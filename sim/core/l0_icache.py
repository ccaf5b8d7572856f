"""The L0 instruction cache of a sub-core: look-up, misses, answers (sm-core 2.3 to 2.5).

A request is a (warp, PC) pair. Pairs that wait for a line are answered one a cycle, in the order in
which they came, in cycles in which no hit takes the response slot.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from . import decode, stream_buffer, tags
from .limits import NEVER

LINES = 512
MISSES = 32
PAIRS = 64

# States of a miss.
FREE = 0
QUEUED = 1  # waits for the port to the L1I
SENT = 2

# Who brings the line that a pair waits for. Both may bring the same one.
MISS = 0
STREAM = 1

State = record(
    ("n_pairs", "i8"),
    ("refused", "i2"),  # the last access found no room; an answer or a grant may make some
    ("queued", "i8"),
    ("misses", "i8"),  # ever
    ("newest", "i8"),  # line + 1 of the last hit, still the most recently used
    ("tags", tags.tags(LINES)),
    ("miss_state", "i2", MISSES),
    ("miss_line", "i8", MISSES),
    ("miss_order", "i8", MISSES),
    ("miss_at", "i8", MISSES),  # cycle in which the line arrives
    ("pair_line", "i8", PAIRS),
    ("pair_from", "i2", PAIRS),  # MISS or STREAM: who brings the line
    ("pair_warp", "i2", PAIRS),
    ("pair_pc", "i4", PAIRS),
)


@compiled
def line_of(pc, machine):
    """Line of the instruction `pc`; a kernel's code begins on a line."""
    return pc * 16 // machine.sm.l0i.line_bytes


@compiled
def requested(l0, warp, pc):
    """Whether the warp already waits for `pc` (possible after a redirect)."""
    for k in range(l0.n_pairs):
        if l0.pair_warp[u(k)] == warp and l0.pair_pc[u(k)] == pc:
            return True
    return False


@compiled
def _waits(l0, k, line, source):
    return l0.pair_line[u(k)] == line and l0.pair_from[u(k)] == source


@compiled
def waiting(l0, line, source):
    """Pairs that wait for `line` from `source`."""
    n = 0
    for k in range(l0.n_pairs):
        n += _waits(l0, k, line, source)
    return n


@compiled
def _add_pair(l0, line, source, warp, pc):
    k = l0.n_pairs
    l0.pair_line[u(k)] = line
    l0.pair_from[u(k)] = source
    l0.pair_warp[u(k)] = warp
    l0.pair_pc[u(k)] = pc
    l0.n_pairs += 1


@compiled
def find_miss(l0, line):
    """Index of the outstanding miss of `line`, or -1."""
    if l0.misses == 0:
        return -1
    for k in range(MISSES):
        if l0.miss_state[u(k)] != FREE and l0.miss_line[u(k)] == line:
            return k
    return -1


@compiled
def _new_miss(l0, line, mshrs, miss_queue):
    """Index of a new miss, or -1 if there is no room."""
    if l0.queued == miss_queue:
        return -1
    for k in range(mshrs):
        if l0.miss_state[u(k)] == FREE:
            l0.misses += 1
            l0.queued += 1
            l0.miss_state[u(k)] = QUEUED
            l0.miss_line[u(k)] = line
            l0.miss_order[u(k)] = l0.misses
            l0.miss_at[u(k)] = NEVER
            return k
    return -1


@compiled
def contains(l0, machine, line):
    """Whether `line` is in the L0I or on its way as a demand miss."""
    sets, ways = machine.sm.l0i.sets, machine.sm.l0i.ways
    return tags.find(l0.tags, sets, ways, line) >= 0 or find_miss(l0, line) >= 0


# What an access finds.
HIT = 0
WAITS = 1
REFUSED = 2


@compiled(inline=True)
def access(sc, machine, warp, pc):
    """A fetch presents `pc`: HIT, WAITS (a pair is noted), or REFUSED (no room, try again)."""
    l0 = sc.l0i
    line = line_of(pc, machine)
    stream = sc.stream
    at_head = stream_buffer.heads(stream, line)
    if l0.n_pairs == 0 and l0.newest == line + 1 and not at_head:
        return HIT
    if requested(l0, warp, pc):
        return WAITS
    if l0.n_pairs == PAIRS:
        return REFUSED
    way = tags.find(l0.tags, machine.sm.l0i.sets, machine.sm.l0i.ways, line)
    if way < 0 and not at_head and not stream_buffer.heads(stream, line + 1):
        stream_buffer.start(stream, line + 1, machine)
    if at_head:
        stream.requested = 1
        _add_pair(l0, line, STREAM, warp, pc)
        return WAITS
    if way >= 0:
        tags.touch(l0.tags, way)
        l0.newest = line + 1
        return HIT
    miss = find_miss(l0, line)
    if miss >= 0 and waiting(l0, line, MISS) == machine.sm.l0i.merges:
        return REFUSED
    if miss < 0 and _new_miss(l0, line, machine.sm.l0i.mshrs, machine.sm.l0i.miss_queue) < 0:
        return REFUSED
    _add_pair(l0, line, MISS, warp, pc)
    return WAITS


@compiled
def send_oldest(l0):
    """The oldest queued miss passes the port; returns its line."""
    oldest = -1
    for k in range(MISSES):
        if l0.miss_state[u(k)] == QUEUED and (
            oldest < 0 or l0.miss_order[u(k)] < l0.miss_order[u(oldest)]
        ):
            oldest = k
    l0.miss_state[u(oldest)] = SENT
    l0.queued -= 1
    l0.refused = 0
    return l0.miss_line[u(oldest)]


@compiled
def arrive(l0, line, at):
    """The L1I sends `line`; it reaches the L0I in cycle `at`."""
    miss = find_miss(l0, line)
    l0.miss_at[u(miss)] = at


@compiled
def _answer(sc, line, source, now):
    """Give the response slot to the first pair that waits for `line` from `source`."""
    l0 = sc.l0i
    for k in range(l0.n_pairs):
        if _waits(l0, k, line, source):
            warp, pc = int(l0.pair_warp[u(k)]), int(l0.pair_pc[u(k)])
            decode.respond(sc.decode, warp, pc, now + decode.SLOT_TO_ISSUE)
            l0.n_pairs -= 1
            for j in range(k, l0.n_pairs):
                l0.pair_line[u(j)] = l0.pair_line[u(j + 1)]
                l0.pair_from[u(j)] = l0.pair_from[u(j + 1)]
                l0.pair_warp[u(j)] = l0.pair_warp[u(j + 1)]
                l0.pair_pc[u(j)] = l0.pair_pc[u(j + 1)]
            l0.refused = 0
            return


@compiled
def _fill(l0, machine, line):
    l0.newest = 0
    tags.fill(l0.tags, machine.sm.l0i.sets, machine.sm.l0i.ways, line)


@compiled
def _oldest_arrived(l0, machine, now):
    """The arrived miss with pairs to answer that came first, or -1; new arrivals fill the L0I."""
    oldest = -1
    for k in range(MISSES):
        if l0.miss_state[u(k)] == SENT and l0.miss_at[u(k)] <= now:
            if l0.miss_at[u(k)] == now:
                _fill(l0, machine, l0.miss_line[u(k)])
            if oldest < 0 or l0.miss_at[u(k)] < l0.miss_at[u(oldest)]:
                oldest = k
    return oldest


@compiled(inline=True)
def step(sc, machine, now, slot_taken):
    """Arrived lines enter the L0I; one waiting pair takes the response slot if it is free."""
    l0 = sc.l0i
    if l0.n_pairs == 0:
        return
    miss = _oldest_arrived(l0, machine, now)
    if slot_taken:
        return
    if miss >= 0:
        line = l0.miss_line[u(miss)]
        _answer(sc, line, MISS, now)
        if waiting(l0, line, MISS) == 0:
            l0.miss_state[u(miss)] = FREE
            l0.refused = 0
        return
    stream = sc.stream
    if stream.requested and stream_buffer.arrived(stream, now):
        line = stream_buffer.head_line(stream)
        _fill(l0, machine, line)
        _answer(sc, line, STREAM, now)
        if waiting(l0, line, STREAM) == 0:
            stream_buffer.pop(stream)


@compiled
def next_at(sc, now):
    """The next cycle in which a waiting pair may be answered."""
    l0 = sc.l0i
    at = NEVER
    if l0.n_pairs == 0:
        return at
    for k in range(MISSES):
        if l0.miss_state[u(k)] == SENT:
            at = min(at, max(l0.miss_at[u(k)], now + 1))
    if sc.stream.requested:
        at = min(at, max(stream_buffer.head_at(sc.stream), now + 1))
    return at
