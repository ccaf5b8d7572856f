"""The L2 cache: tags and unloaded latencies (memory 5). Slices, bandwidth and queues come later.

One set-associative array of 32-byte sectors stands for all slices; requests come in order of time.
"""

from __future__ import annotations

from ..compiled import compiled, pointer_to, record, u
from ..sm import outbox
from . import dram

WAYS = 32

SET = record(
    ("line", "i8", WAYS),  # line number + 1; 0: empty
    ("used", "i8", WAYS),
    ("valid", "i2", WAYS),  # sectors
)

set_at = pointer_to(SET)

STATE = record(
    ("sets", "i8"),  # address of the sets
    ("n_sets", "i8"),
    ("uses", "i8"),
    ("sector_accesses", "i8"),
    ("sector_hits", "i8"),
)


@compiled
def _way_of(l2_set, ways, line):
    """The way that holds `line`, else the least recently used one, emptied."""
    victim = 0
    for way in range(ways):
        if l2_set.line[u(way)] == line + 1:
            return way
        if l2_set.used[u(way)] < l2_set.used[u(victim)]:
            victim = way
    l2_set.line[u(victim)] = line + 1
    l2_set.valid[u(victim)] = 0
    return victim


@compiled
def _sectors(mask):
    return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1)


@compiled
def fill(l2, machine, line, sectors):
    """Make `sectors` of a line valid and the line the newest of its set; returns what was not."""
    # Neighbouring lines lie in different sets; higher bits are folded in against strides.
    index = (line ^ line // l2.n_sets) % l2.n_sets
    l2_set = set_at(l2.sets, index)
    way = _way_of(l2_set, machine.l2.ways, line)
    l2.uses += 1
    l2_set.used[u(way)] = l2.uses
    missing = sectors & ~int(l2_set.valid[u(way)])
    l2_set.valid[u(way)] |= sectors
    return missing


@compiled
def access(l2, machine, line, sectors):
    """Look `sectors` of a line up and bring what is missing; returns the missing ones."""
    missing = fill(l2, machine, line, sectors)
    l2.sector_accesses += _sectors(sectors)
    l2.sector_hits += _sectors(sectors & ~missing)
    return missing


@compiled
def serve(l2, memory, machine, request):
    """Serve one request; returns the cycle in which its answer reaches the SM."""
    missing = access(l2, machine, request.line, int(request.sectors))
    at = request.at + request.delay + machine.l2.round_trip
    if missing and request.kind != outbox.WRITE:
        at += dram.read(memory, machine, missing)
    return at
