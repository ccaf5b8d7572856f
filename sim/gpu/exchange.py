"""What SMs sent in a window, in the order in which it is served (engine 3.4)."""

from __future__ import annotations

from ..compiled import compiled, pointer_to, record, u
from .dispatch import sm_at

LONGEST = 512  # cycles of a window
PLACES = 1 << 16  # numbers of an SM's requests

ENTRY = record(("place", "i8"))  # SM and number of a request
ORDER = record(
    ("entries", "i8"),  # address
    ("first", "i8", LONGEST + 1),  # entry of each cycle
)

entry_at = pointer_to(ENTRY)


@compiled
def _server(out, k, s, gpcs):
    """Number of the GPC, if there are `gpcs`, or of the memory channel of a request of SM `s`."""
    return s % gpcs if gpcs else out.channel[u(k)]


@compiled
def _count(order, sms, n_sms, gpcs, worker, workers, begin):
    """Note where each cycle's requests begin; returns how many there are."""
    for cycle in range(LONGEST + 1):
        order.first[u(cycle)] = 0
    for s in range(n_sms):
        out = sm_at(sms, s).out
        for k in range(out.n):
            if _server(out, k, s, gpcs) % workers == worker:
                order.first[u(out.at[u(k)] - begin + 1)] += 1
    for cycle in range(LONGEST):
        order.first[u(cycle + 1)] += order.first[u(cycle)]
    return order.first[LONGEST]


@compiled
def sort(order, sms, n_sms, gpcs, worker, workers, begin):
    """List a worker's requests of the window by (cycle, SM, order within the SM).

    Its are those of every `workers`-th of so many GPCs, or else of every memory channel.
    """
    n = _count(order, sms, n_sms, gpcs, worker, workers, begin)
    for s in range(n_sms):
        out = sm_at(sms, s).out
        for k in range(out.n):
            if _server(out, k, s, gpcs) % workers == worker:
                cycle = out.at[u(k)] - begin
                entry_at(order.entries, order.first[u(cycle)]).place = s * PLACES + k
                order.first[u(cycle)] += 1
    return n


@compiled
def sm_of(order, k):
    """The SM of the `k`-th request to serve."""
    return entry_at(order.entries, k).place // PLACES


@compiled
def number_of(order, k):
    """Which of its SM's requests that is."""
    return entry_at(order.entries, k).place % PLACES
