"""The L1 data cache of an SM: tags, sectors, misses (memory 3).

Lines are found through hash chains and replaced in LRU order through linked lists, since a set has
up to 256 ways. A sector is missing, on its way (with the request that brings it), or valid.
"""

from __future__ import annotations

from ..compiled import compiled, lowest, record, u
from ..core.limits import SECTORS

LINES = 1024
SETS = 4
BUCKETS = 1024
REQUESTS = 512
WORD = 32  # loads in a word of a request's waiting mask
WORDS = 4

State = record(
    ("n_requests", "i8"),  # request numbers ever used
    ("n_free", "i8"),  # of them given back
    ("sector_accesses", "i8"),
    ("sector_hits", "i8"),
    ("newest", "i2", SETS),
    ("oldest", "i2", SETS),
    ("used", "i2", SETS),  # ways filled
    ("line", "i8", LINES),  # line number + 1; 0: empty
    ("valid", "i2", LINES),  # sectors
    ("coming", "i2", LINES),  # sectors on their way
    ("bringer", "i2", (LINES, SECTORS)),  # request that brings a coming sector
    ("newer", "i2", LINES),  # LRU list of the set, -1: end
    ("older", "i2", LINES),
    ("bucket", "i2", BUCKETS),  # first way of a hash chain + 1; 0: none
    ("chain", "i2", LINES),
    ("request_line", "i8", REQUESTS),
    ("request_sectors", "i2", REQUESTS),
    ("request_waiting", "i8", (REQUESTS, WORDS)),  # loads, one bit each
    ("free", "i2", REQUESTS),
)


@compiled
def find(l1, line):
    """The way that holds `line`, or -1."""
    way = l1.bucket[u(line % BUCKETS)] - 1
    while way >= 0 and l1.line[u(way)] != line + 1:
        way = l1.chain[u(way)] - 1
    return way


@compiled
def _unlink(l1, s, way):
    newer, older = int(l1.newer[u(way)]), int(l1.older[u(way)])
    if newer >= 0:
        l1.older[u(newer)] = older
    else:
        l1.newest[u(s)] = older
    if older >= 0:
        l1.newer[u(older)] = newer
    else:
        l1.oldest[u(s)] = newer


@compiled
def _link_newest(l1, s, way):
    newest = int(l1.newest[u(s)])
    l1.newer[u(way)] = -1
    l1.older[u(way)] = newest
    if newest >= 0:
        l1.newer[u(newest)] = way
    else:
        l1.oldest[u(s)] = way
    l1.newest[u(s)] = way


@compiled
def touch(l1, machine, way):
    """Make `way` the newest of its set."""
    s = (l1.line[u(way)] - 1) % machine.sm.l1d.sets
    if l1.newest[u(s)] != way:
        _unlink(l1, s, way)
        _link_newest(l1, s, way)


@compiled
def make_oldest(l1, machine, way):
    """Make `way` the first of its set to be replaced."""
    s = (l1.line[u(way)] - 1) % machine.sm.l1d.sets
    if l1.oldest[u(s)] != way:
        _unlink(l1, s, way)
        oldest = int(l1.oldest[u(s)])
        l1.newer[u(way)] = oldest
        l1.older[u(way)] = -1
        l1.older[u(oldest)] = way
        l1.oldest[u(s)] = way


@compiled
def _forget(l1, way):
    """Take `way` out of its hash chain."""
    b = (l1.line[u(way)] - 1) % BUCKETS
    if l1.bucket[u(b)] == way + 1:
        l1.bucket[u(b)] = l1.chain[u(way)]
        return
    before = l1.bucket[u(b)] - 1
    while l1.chain[u(before)] != way + 1:
        before = l1.chain[u(before)] - 1
    l1.chain[u(before)] = l1.chain[u(way)]


@compiled(inline=True)
def _victim(l1, s, ways):
    """A way for a new line: an empty one, else the oldest with no sector on its way, else -1."""
    if l1.used[u(s)] < ways:
        way = s * (LINES // SETS) + l1.used[u(s)]
        l1.used[u(s)] += 1
        return way
    way = int(l1.oldest[u(s)])
    while way >= 0 and l1.coming[u(way)]:
        way = int(l1.newer[u(way)])
    if way >= 0:
        _unlink(l1, s, way)
        _forget(l1, way)
    return way


@compiled
def allocate(l1, machine, ways, line):
    """Give `line` a way, all its sectors missing; -1 if none can be had."""
    s = line % machine.sm.l1d.sets
    way = _victim(l1, s, ways)
    if way < 0:
        return -1
    b = line % BUCKETS
    l1.line[u(way)] = line + 1
    l1.valid[u(way)] = 0
    l1.coming[u(way)] = 0
    l1.chain[u(way)] = l1.bucket[u(b)]
    l1.bucket[u(b)] = way + 1
    _link_newest(l1, s, way)
    return way


@compiled
def requests_in_use(l1):
    """Requests to the L2 that are not answered."""
    return l1.n_requests - l1.n_free


@compiled
def new_request(l1, line, sectors):
    """A number for a request; the caller knows that one is free."""
    if l1.n_free:
        l1.n_free -= 1
        number = int(l1.free[u(l1.n_free)])
    else:
        number = l1.n_requests
        l1.n_requests += 1
    l1.request_line[u(number)] = line
    l1.request_sectors[u(number)] = sectors
    for word in range(WORDS):
        l1.request_waiting[u(number), u(word)] = 0
    return number


@compiled
def wait_for(l1, number, load):
    """Let `load` wait for a request; 1 if it did not yet."""
    bit = 1 << (load % WORD)
    waiting = l1.request_waiting[u(number), u(load // WORD)]
    if waiting & bit:
        return 0
    l1.request_waiting[u(number), u(load // WORD)] = waiting | bit
    return 1


@compiled
def expect(l1, way, sectors, number):
    """Note that `sectors` of `way` are on their way."""
    l1.coming[u(way)] |= sectors
    while sectors:
        sector = lowest(sectors)
        sectors &= sectors - 1
        l1.bringer[u(way), u(sector)] = number


@compiled(inline=True)
def complete(l1, number):
    """A request is answered: its sectors are valid if the line is still here."""
    way = find(l1, l1.request_line[u(number)])
    sectors = int(l1.request_sectors[u(number)])
    while way >= 0 and sectors:
        sector = lowest(sectors)
        sectors &= sectors - 1
        if l1.coming[u(way)] >> sector & 1 and l1.bringer[u(way), u(sector)] == number:
            l1.coming[u(way)] &= ~(1 << sector)
            l1.valid[u(way)] |= 1 << sector
    l1.free[u(l1.n_free)] = number
    l1.n_free += 1


@compiled
def drop_sectors(l1, line, sectors):
    """A store that does not leave its data here invalidates what it overwrites."""
    way = find(l1, line)
    if way >= 0:
        l1.valid[u(way)] &= ~sectors & 15


@compiled
def fill(l1, way, sectors):
    """A store writes all of some sectors that are not on their way."""
    l1.valid[u(way)] |= sectors & ~int(l1.coming[u(way)])


@compiled
def clear(l1):
    """Invalidate everything; what is on its way goes to the loads that wait for it alone."""
    for way in range(LINES):
        l1.line[u(way)] = 0
    for bucket in range(BUCKETS):
        l1.bucket[u(bucket)] = 0
    for s in range(SETS):
        l1.used[u(s)] = 0
        l1.newest[u(s)] = -1
        l1.oldest[u(s)] = -1
