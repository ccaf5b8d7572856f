"""The L1 instruction and L1.5 constant cache of an SM, and its link (sm-core 2.4, 2.6, 3.5).

One request enters the link a cycle: demand misses before prefetches, round robin over the sub-cores
inside each class. One reply leaves a cycle. A miss asks the L2 for the whole line.
"""

from __future__ import annotations

from ..compiled import compiled, lowest, record, u
from ..core import l0_constant, l0_icache, stream_buffer, tags
from ..core.limits import NEVER, SUBCORES
from . import l0_vl, outbox

LINES = 2048
RING = 64  # requests on their way to the look-up; one enters a cycle
MISSES = 64
# Users of the link: a sub-core's number, plus the class of its request.
DEMAND = 0
PREFETCH = SUBCORES
CONSTANT = 2 * SUBCORES
VARIABLE = 3 * SUBCORES  # the SM's L0 VL; in turn with the sub-cores' demands

FIXED_ORDER = 1  # choice of `sm.l1i.port`

State = record(
    ("asking", "i4"),  # sub-cores with a request for the link
    ("head", "i8"),
    ("tail", "i8"),
    ("at", "i8", RING),  # cycle of the look-up
    ("line", "i8", RING),
    ("user", "i2", RING),
    ("epoch", "i8", RING),  # of the prefetch's stream
    ("last_demand", "i2"),  # sub-core served last
    ("last_prefetch", "i2"),
    ("reply_free", "i8"),  # cycle from which the reply port is free
    ("miss_line", "i8", MISSES),  # line + 1; 0: free
    ("miss_users", "i4", MISSES),
    ("miss_epoch", "i8", (MISSES, SUBCORES)),
    ("tags", tags.tags(LINES)),
)


@compiled
def _reply(sm, machine, line, user, epoch, now):
    """Send `line` to a user through the reply port."""
    l1i = sm.l1i
    slot = max(now, l1i.reply_free)
    l1i.reply_free = slot + 1
    at = slot + machine.sm.l1i.reply_latency
    sc = sm.subcores[u(user % SUBCORES)]
    if user == VARIABLE:
        l0_vl.arrive(sm.vl, machine, line, at)
        return
    if user >= CONSTANT:
        l0_constant.arrive(sc.constants, machine, line, at)
    elif user >= PREFETCH:
        stream_buffer.arrive(sc.stream, line, epoch, at)
    else:
        l0_icache.arrive(sc.l0i, line, at)
    sc.next_at = min(sc.next_at, at)


@compiled
def _find_miss(l1i, line):
    for k in range(MISSES):
        if l1i.miss_line[u(k)] == line + 1:
            return k
    return -1


@compiled
def _miss(sm, machine, line, user, epoch, now):
    """Note who waits for `line`; the first one makes the request. False without room."""
    l1i = sm.l1i
    k = _find_miss(l1i, line)
    if k < 0:
        k = _find_miss(l1i, -1)  # a free one
        if k < 0 or k >= machine.sm.l1i.mshrs or not outbox.room(sm, 1):
            return False
        l1i.miss_line[u(k)] = line + 1
        l1i.miss_users[u(k)] = 0
        outbox.push(sm, now, 0, outbox.INSTRUCTION, line, 15, k)
    l1i.miss_users[u(k)] |= 1 << user
    if PREFETCH <= user < CONSTANT:
        l1i.miss_epoch[u(k), u(user - PREFETCH)] = epoch
    return True


@compiled(inline=True)
def step(sm, kernel, machine, now):
    """Look up the request that arrives in this cycle."""
    l1i = sm.l1i
    while l1i.head < l1i.tail:
        slot = l1i.head % RING
        if l1i.at[u(slot)] > now:
            return
        line, user, epoch = l1i.line[u(slot)], int(l1i.user[u(slot)]), l1i.epoch[u(slot)]
        way = tags.find(l1i.tags, machine.sm.l1i.sets, machine.sm.l1i.ways, line)
        if way >= 0 or kernel.warm_l1i:
            tags.touch(l1i.tags, max(way, 0))
            _reply(sm, machine, line, user, epoch, now)
        elif not _miss(sm, machine, line, user, epoch, now):
            l1i.at[u(slot)] = now + 1
            return
        l1i.head += 1


@compiled
def refill(sm, machine, k, now):
    """The L2's answer to miss `k` is here: keep the line, serve all who wait."""
    l1i = sm.l1i
    line = l1i.miss_line[u(k)] - 1
    tags.fill(l1i.tags, machine.sm.l1i.sets, machine.sm.l1i.ways, line)
    users = int(l1i.miss_users[u(k)])
    while users:
        user = lowest(users)
        users &= users - 1
        epoch = l1i.miss_epoch[u(k), u(user % SUBCORES)]
        _reply(sm, machine, line, user, epoch, now)
    l1i.miss_line[u(k)] = 0


@compiled
def _enter(l1i, machine, line, user, epoch, now):
    slot = l1i.tail % RING
    l1i.at[u(slot)] = now + machine.sm.l1i.request_latency
    l1i.line[u(slot)] = line
    l1i.user[u(slot)] = user
    l1i.epoch[u(slot)] = epoch
    l1i.tail += 1


@compiled
def _send_variable(sm, machine, now):
    """The oldest miss of the L0 VL enters the link, if there is one."""
    k = l0_vl.queued(sm.vl, now)
    if k < 0:
        return False
    ratio = machine.sm.l1i.line_bytes // machine.sm.l0_vl.line_bytes
    _enter(sm.l1i, machine, l0_vl.send(sm.vl, k) // ratio, VARIABLE, 0, now)
    return True


@compiled
def _grant_demand(sm, machine, now):
    l1i = sm.l1i
    for k in range(SUBCORES + 1):
        s = (int(l1i.last_demand) + 1 + k) % (SUBCORES + 1)
        if s == SUBCORES:
            if not _send_variable(sm, machine, now):
                continue
            l1i.last_demand = s
            return True
        sc = sm.subcores[u(s)]
        if sc.constants.queued:
            ratio = machine.sm.l1i.line_bytes // machine.sm.l0_constant.line_bytes
            _enter(l1i, machine, l0_constant.send(sc.constants) // ratio, CONSTANT + s, 0, now)
        elif sc.l0i.queued:
            _enter(l1i, machine, l0_icache.send_oldest(sc.l0i), DEMAND + s, 0, now)
        else:
            continue
        l1i.last_demand = s
        return True
    return False


@compiled
def _prefetch_due(sc, machine):
    """Whether the sub-core's stream may push its next line; one that meets a known line stops."""
    stream = sc.stream
    if not stream_buffer.wants(stream, machine):
        return False
    if l0_icache.contains(sc.l0i, machine, stream.next):
        stream.running = 0
        return False
    return True


@compiled
def _grant_prefetch(sm, machine, now):
    l1i = sm.l1i
    for k in range(SUBCORES):
        s = (int(l1i.last_prefetch) + 1 + k) % SUBCORES
        sc = sm.subcores[u(s)]
        if _prefetch_due(sc, machine):
            _enter(l1i, machine, sc.stream.next, PREFETCH + s, sc.stream.epoch, now)
            stream_buffer.push(sc.stream)
            l1i.last_prefetch = s
            return


@compiled
def _grant_in_order(sm, machine, now):
    """As the authors do: sub-core 0 first, prefetches of its before demands of the others."""
    for s in range(SUBCORES):
        sc = sm.subcores[u(s)]
        if sc.constants.queued or sc.l0i.queued:
            sm.l1i.last_demand = s + SUBCORES
            _grant_demand(sm, machine, now)
            return
        if _prefetch_due(sc, machine):
            sm.l1i.last_prefetch = s - 1
            _grant_prefetch(sm, machine, now)
            return
    _send_variable(sm, machine, now)


@compiled
def look(sm, machine, s):
    """Note whether sub-core `s`, which has been visited, has a request for the link."""
    sc = sm.subcores[u(s)]
    if sc.l0i.queued or sc.constants.queued or stream_buffer.wants(sc.stream, machine):
        sm.l1i.asking |= 1 << s
    else:
        sm.l1i.asking &= ~(1 << s)


@compiled
def grant(sm, machine, now):
    """At the end of a cycle, one request of a sub-core enters the link."""
    if sm.l1i.asking == 0 and sm.vl.outstanding == 0:
        return
    if machine.sm.l1i.port == FIXED_ORDER:
        _grant_in_order(sm, machine, now)
    elif not _grant_demand(sm, machine, now):
        _grant_prefetch(sm, machine, now)
    for s in range(SUBCORES):
        look(sm, machine, s)


@compiled
def next_at(sm, now):
    """The next cycle with a look-up or with somebody at the request port."""
    l1i = sm.l1i
    if l1i.asking:
        return now + 1
    if l1i.head < l1i.tail:
        return max(l1i.at[u(l1i.head % RING)], now + 1)
    return NEVER
