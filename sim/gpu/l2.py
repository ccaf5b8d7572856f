"""The L2 cache: slices with their ports, tags, and the sectors that stores leave (memory 5).

Requests come in the order in which the SMs made them. The round trip of an unloaded hit is one
number; on top of it a request waits for the ports of its SM and of its slice, and for the memory.
"""

from __future__ import annotations

from ..compiled import compiled, pointer_to, popcount, record, u
from ..core.instruction import bytes_at
from ..core.limits import ALL_BYTES, SECTORS
from ..sm import outbox
from . import dram, slice_hash

WAYS = 32
SLICES = 128
MISSES = 256  # of a slice, at most
KINDS = 8  # of requests, at most
ALL_SECTORS = (1 << SECTORS) - 1

SET = record(
    ("line", "i8", WAYS),  # line number + 1; 0: empty
    ("used", "i8", WAYS),
    ("filled", "i8", WAYS),  # cycle in which the last sectors from memory are there
    ("valid", "i2", WAYS),  # sectors
    ("dirty", "i2", WAYS),  # sectors that the memory does not have
    ("written", "u4", (WAYS, SECTORS)),  # bytes that stores have left in a sector not valid
    ("atomic_free", "i8", (WAYS, SECTORS)),  # from when another atomic may change a sector
)

set_at = pointer_to(SET)

SLICE = record(
    ("uses", "i8"),
    ("evicted_at", "i8"),  # when the memory had room for what the last line displaced
    ("sector_accesses", "i8"),
    ("sector_hits", "i8"),
    ("sectors_of", "i8", KINDS),  # accesses by the request's kind
    ("request_free", "i8"),  # a packet a cycle comes in
    ("data_free", "i8"),  # a sector a cycle goes out
    ("atomic_free", "i8"),
    ("misses", "i8"),  # ever
    ("there", "i8", MISSES),  # when the newest of them were, or will be, served
)

# Choices of `l2.between_kernels`.
KEEP = 0
CLEAR = 1
CLEAR_SOME = 2

STATE = record(
    ("sets", "i8"),  # address of the sets, slice by slice
    ("n_sets", "i8"),
    ("map", slice_hash.STATE),
    ("slices", SLICE, SLICES),
)


@compiled
def _set_of(l2, slice_, group):
    """The set of a slice's line `group`; higher bits are folded in against strides."""
    sets = l2.n_sets // l2.map.slices
    return set_at(l2.sets, slice_ * sets + (group ^ group // sets ^ group // sets // sets) % sets)


@compiled
def _clear(l2_set):
    for way in range(WAYS):
        l2_set.line[u(way)] = 0
        l2_set.valid[u(way)] = 0
        l2_set.dirty[u(way)] = 0
        l2_set.used[u(way)] = 0


@compiled
def begin(l2, machine):
    """Start a kernel at time zero on what the one before it has left."""
    kept = machine.l2.between_kernels
    per_slice = l2.n_sets // l2.map.slices
    for k in range(l2.n_sets):
        l2_set = set_at(l2.sets, k)
        unit = l2.slices[u(k // per_slice)]
        if kept == CLEAR or (kept == CLEAR_SOME and k // per_slice < machine.dram.channels):
            _clear(l2_set)
        for way in range(machine.l2.ways):
            unit.uses = max(unit.uses, l2_set.used[u(way)])
            l2_set.filled[u(way)] = 0
            for sector in range(SECTORS):
                l2_set.atomic_free[u(way), u(sector)] = 0


@compiled
def _find(l2_set, ways, line):
    """The way that holds `line`, or -1."""
    for way in range(ways):
        if l2_set.line[u(way)] == line + 1:
            return way
    return -1


@compiled
def _oldest(l2_set, ways):
    victim = 0
    for way in range(1, ways):
        if l2_set.used[u(way)] < l2_set.used[u(victim)]:
            victim = way
    return victim


@compiled
def _replace(l2_set, way, line):
    l2_set.line[u(way)] = line + 1
    l2_set.valid[u(way)] = 0
    l2_set.dirty[u(way)] = 0
    l2_set.filled[u(way)] = 0
    for sector in range(SECTORS):
        l2_set.written[u(way), u(sector)] = 0
        l2_set.atomic_free[u(way), u(sector)] = 0


@compiled
def _use(unit, l2_set, way):
    unit.uses += 1
    l2_set.used[u(way)] = unit.uses


@compiled
def _way_of(unit, l2_set, memory, machine, slice_, line, at):
    """The way of `line`, now the newest; what it replaces goes to memory if it is dirty.

    Where the memory has no room for it, the slice waits.
    """
    way = _find(l2_set, machine.l2.ways, line)
    unit.evicted_at = at
    if way < 0:
        way = _oldest(l2_set, machine.l2.ways)
        if l2_set.dirty[u(way)]:
            dirty = int(l2_set.dirty[u(way)])
            unit.evicted_at = dram.write(memory, machine, slice_, dirty, at)
            unit.request_free = max(unit.request_free, unit.evicted_at)
        _replace(l2_set, way, line)
    _use(unit, l2_set, way)
    return way


@compiled
def install(l2, machine, line):
    """Make a whole line valid and clean, as a copy or a launch leaves it.

    That is before the kernel starts, so the memory has had time for what the line displaces.
    """
    slice_ = slice_hash.slice_of(l2.map, line)
    l2_set = _set_of(l2, slice_, line // l2.map.slices)
    way = _find(l2_set, machine.l2.ways, line)
    if way < 0:
        way = _oldest(l2_set, machine.l2.ways)
    _replace(l2_set, way, line)
    _use(l2.slices[u(slice_)], l2_set, way)
    l2_set.valid[u(way)] = ALL_SECTORS


@compiled
def install_copies(l2, machine, copies):
    """What the host copied last is here, as far as there is room (memory 5.7)."""
    room = machine.l2.size_kib * 1024
    for k in range(len(copies)):
        end = copies[k, 0] + copies[k, 1]
        first = max(copies[k, 0], end - room)
        for line in range(first // machine.l2.line_bytes, -(-end // machine.l2.line_bytes)):
            install(l2, machine, line)


@compiled
def _write_parts(l2_set, way, sectors, bytes_):
    """Sectors of which a store writes only some bytes are valid when all bytes are written."""
    for sector in range(SECTORS):
        if sectors >> sector & 1:
            written = int(l2_set.written[u(way), u(sector)]) | int(bytes_.of_sector[u(sector)])
            l2_set.written[u(way), u(sector)] = written
            if written == ALL_BYTES:
                l2_set.valid[u(way)] |= 1 << sector


@compiled
def _write(l2, memory, kernel, machine, request, at):
    """Take a store; sectors that it writes need not be fetched."""
    slice_, line, sectors = int(request.slice), request.line, int(request.sectors)
    unit, l2_set = l2.slices[u(slice_)], _set_of(l2, slice_, line // l2.map.slices)
    way = _way_of(unit, l2_set, memory, machine, slice_, line, at)
    unit.sector_hits += popcount(sectors & int(l2_set.valid[u(way)]))
    l2_set.valid[u(way)] |= request.whole
    l2_set.dirty[u(way)] |= sectors
    parts = sectors & ~int(l2_set.valid[u(way)])
    if parts:
        _write_parts(l2_set, way, parts, bytes_at(kernel.store_bytes, request.bytes))
    return unit.evicted_at


@compiled
def _widened(sectors, together):
    """All sectors of the aligned groups of `together` in which one is asked for."""
    if together == 1:
        return sectors
    group = (1 << together) - 1
    mask = 0
    for first in range(0, SECTORS, together):
        if sectors >> first & group:
            mask |= group << first
    return mask


@compiled
def _fetch(unit, memory, machine, slice_, group, sectors, at):
    """Fetch sectors from memory once one of the slice's misses is served; returns when they come.

    Who finds all of them taken holds back the requests behind.
    """
    if unit.misses >= machine.l2.mshrs:
        oldest = unit.there[u((unit.misses - machine.l2.mshrs) % MISSES)]
        at = max(at, oldest)
        unit.request_free = max(unit.request_free, at)
    there = at + dram.read(memory, machine, slice_, group, sectors, at)
    unit.there[u(unit.misses % MISSES)] = there
    unit.misses += 1
    return there


@compiled(inline=True)
def _read(l2, memory, machine, request, at):
    """Look sectors up and fetch what is missing; returns when all are there, hits in cycle `at`."""
    slice_, line, sectors = int(request.slice), request.line, int(request.sectors)
    group = line // l2.map.slices
    unit, l2_set = l2.slices[u(slice_)], _set_of(l2, slice_, group)
    way = _way_of(unit, l2_set, memory, machine, slice_, line, at)
    missing = sectors & ~int(l2_set.valid[u(way)])
    unit.sector_hits += popcount(sectors & ~missing)
    if missing:
        fetched = _widened(missing, int(request.prefetch)) & ~int(l2_set.valid[u(way)])
        there = _fetch(unit, memory, machine, slice_, group, fetched, unit.evicted_at)
        l2_set.valid[u(way)] |= fetched
        l2_set.filled[u(way)] = max(there, l2_set.filled[u(way)])
    return max(at, l2_set.filled[u(way)])


@compiled
def _change(l2, machine, request, at):
    """An atomic changes sectors that are here in cycle `at`; returns when it has.

    One follows another on a sector, and lanes that share a word follow each other.
    """
    line, sectors = request.line, int(request.sectors)
    l2_set = _set_of(l2, int(request.slice), line // l2.map.slices)
    way = _find(l2_set, machine.l2.ways, line)
    l2_set.dirty[u(way)] |= sectors
    work = int(request.turns) * machine.l2.atomic_interval
    for sector in range(SECTORS):
        if sectors >> sector & 1:
            at = max(at, l2_set.atomic_free[u(way), u(sector)])
    for sector in range(SECTORS):
        if sectors >> sector & 1:
            l2_set.atomic_free[u(way), u(sector)] = at + max(work, machine.l2.atomic_gap)
    return at + work - popcount(sectors) * machine.l2.atomic_interval


@compiled
def _enter(unit, machine, request):
    """A request's turn at its slice: its packets in, its data out; returns when."""
    sectors = popcount(int(request.sectors))
    at = max(unit.request_free, request.sent)
    unit.request_free = at + (sectors if request.kind == outbox.WRITE else 1)
    if request.kind == outbox.WRITE:
        return at
    if outbox.is_atomic(request.kind):
        at = max(unit.atomic_free, at)
        unit.atomic_free = at + int(request.turns) * machine.l2.atomic_interval
    if request.kind == outbox.REDUCTION:
        return at
    at = max(unit.data_free, at)
    unit.data_free = at + sectors
    return at


@compiled(inline=True)
def serve(l2, memory, kernel, machine, request):
    """Serve one request at its slice, and note when its answer reaches the SM."""
    unit = l2.slices[u(request.slice)]
    sectors = popcount(int(request.sectors))
    unit.sector_accesses += sectors
    unit.sectors_of[u(request.kind)] += sectors
    at = _enter(unit, machine, request)
    if request.kind == outbox.WRITE:
        there = _write(l2, memory, kernel, machine, request, at)
    else:
        there = _read(l2, memory, machine, request, at)
    if outbox.is_atomic(request.kind):
        there = _change(l2, machine, request, there) + machine.l2.atomic_latency
    request.answer = max(there, request.answer) + request.late + machine.l2.round_trip
