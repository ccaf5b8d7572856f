"""What SMs sent in a window, in the order in which it is served (engine 3.4)."""

from __future__ import annotations

from ..compiled import compiled, pointer_to, record, u
from ..sm.sm import SM

sm_at = pointer_to(SM)

LONGEST = 512  # cycles of a window
PLACES = 1 << 16  # numbers of an SM's requests

ENTRY = record(("place", "i8"))  # SM and number of a request
ORDER = record(
    ("entries", "i8"),  # address
    ("first", "i8", LONGEST + 1),  # entry of each cycle
)

entry_at = pointer_to(ENTRY)


@compiled
def _server(request, by_gpc):
    return request.gpc if by_gpc else request.channel


@compiled
def _count(order, sms, n_sms, by_gpc, worker, workers, begin):
    """Note where each cycle's requests begin; returns how many there are."""
    for cycle in range(LONGEST + 1):
        order.first[u(cycle)] = 0
    for s in range(n_sms):
        out = sm_at(sms, s).out
        for k in range(out.n):
            if _server(out.request[u(k)], by_gpc) % workers == worker:
                order.first[u(out.request[u(k)].at - begin + 1)] += 1
    for cycle in range(LONGEST):
        order.first[u(cycle + 1)] += order.first[u(cycle)]
    return order.first[LONGEST]


@compiled
def sort(order, sms, n_sms, by_gpc, worker, workers, begin):
    """List a worker's requests of the window by (cycle, SM, order within the SM).

    Its are those of every `workers`-th GPC, or memory channel.
    """
    n = _count(order, sms, n_sms, by_gpc, worker, workers, begin)
    for s in range(n_sms):
        out = sm_at(sms, s).out
        for k in range(out.n):
            if _server(out.request[u(k)], by_gpc) % workers == worker:
                cycle = out.request[u(k)].at - begin
                entry_at(order.entries, order.first[u(cycle)]).place = s * PLACES + k
                order.first[u(cycle)] += 1
    return n


@compiled
def request(order, sms, k):
    """The `k`-th request to serve."""
    place = entry_at(order.entries, k).place
    return sm_at(sms, place // PLACES).out.request[u(place % PLACES)]
