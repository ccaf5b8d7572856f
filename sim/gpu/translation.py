"""Address translation: a table of pages in each GPC (memory 7.3). Off by default."""

from __future__ import annotations

from ..compiled import compiled, record, u

PAGES = 64

STATE = record(
    ("page", "i8", PAGES),  # number + 1; 0: empty
    ("there", "i8", PAGES),  # cycle from which the entry can be used
    ("used", "i8", PAGES),
    ("uses", "i8"),
    ("misses", "i8"),
)


@compiled
def _entry(table, machine, page, at):
    """The page's entry, now the newest; one that was not here takes the place of the oldest."""
    oldest = 0
    for k in range(machine.translation.pages):
        if table.page[u(k)] == page + 1:
            return k
        if table.used[u(k)] < table.used[u(oldest)]:
            oldest = k
    table.page[u(oldest)] = page + 1
    table.there[u(oldest)] = at + machine.translation.miss_cycles
    table.misses += 1
    return oldest


@compiled
def lateness(table, machine, line, at):
    """Cycles that a request of cycle `at` for `line` waits for its page."""
    k = _entry(table, machine, line * machine.l2.line_bytes // machine.translation.page_bytes, at)
    table.uses += 1
    table.used[u(k)] = table.uses
    return max(table.there[u(k)] - at, 0)
