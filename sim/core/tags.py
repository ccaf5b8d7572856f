"""Tags of a small set-associative cache with true LRU replacement."""

from __future__ import annotations

from ..compiled import compiled, record, u


def tags(lines):
    """Record type for up to `lines` lines, set after set."""
    return record(
        ("line", "i8", lines),  # line number + 1; 0: empty
        ("used", "i8", lines),  # order of last use
        ("uses", "i8"),
    )


@compiled
def find(cache, sets, ways, line):
    """Index of `line`, or -1."""
    first = (line % sets) * ways
    for way in range(first, first + ways):
        if cache.line[u(way)] == line + 1:
            return way
    return -1


@compiled
def touch(cache, way):
    """Make `way` the most recently used of its set."""
    cache.uses += 1
    cache.used[u(way)] = cache.uses


@compiled
def fill(cache, sets, ways, line):
    """Put `line` into its set, over the least recently used way; returns the way."""
    way = find(cache, sets, ways, line)
    if way < 0:
        first = (line % sets) * ways
        way = first
        for other in range(first, first + ways):
            if cache.used[u(other)] < cache.used[u(way)]:
                way = other
        cache.line[u(way)] = line + 1
    touch(cache, way)
    return way


@compiled
def clear(cache, lines):
    """Invalidate everything."""
    for way in range(lines):
        cache.line[u(way)] = 0
        cache.used[u(way)] = 0
