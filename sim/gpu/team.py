"""Workers that simulate a window together wait for each other here, without Python's lock."""

from __future__ import annotations

from ..compiled import compiled, load_acquire, pointer_to, record, sleep, store_release

CACHE_LINE = 64
PATIENCE = 20_000  # looks at another worker before the core is left, some 20 microseconds

MEMBER = record(
    ("meetings", "i8"),  # that this worker has come to
    ("apart", "i8", CACHE_LINE // 8 - 1),  # no worker writes where another one reads
)

member_at = pointer_to(MEMBER)


@compiled
def _await(address, meetings):
    looks = 0
    while load_acquire(address) < meetings:
        looks += 1
        if looks > PATIENCE:
            sleep()


@compiled
def meet(team, worker, workers):
    """Wait until all workers have come; what each did before is then seen by all."""
    meetings = member_at(team, worker).meetings + 1
    store_release(team + worker * CACHE_LINE, meetings)
    for other in range(workers):
        _await(team + other * CACHE_LINE, meetings)
