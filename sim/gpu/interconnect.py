"""Links between SMs and L2 slices, as servers that are free from some cycle on (memory 4.4).

Virtual output queues are assumed: nothing waits behind a request for another slice. Unloaded
latencies are part of the L2's round trip; a link adds only what a request waits for its turn.
"""

from __future__ import annotations

from ..compiled import compiled, popcount, record, u
from ..sm import outbox
from . import slice_hash

PORT = record(
    ("request_free", "i8"),  # an SM's way out: a packet a cycle
    ("reply_free", "i8"),  # its way in
)


@compiled
def _send(port, at, packets):
    """An SM sends `packets` that are ready in cycle `at`; returns when the first one leaves."""
    start = max(port.request_free, at)
    port.request_free = start + packets
    return start


@compiled
def _receive(port, machine, at, sectors):
    """Reserve an SM's way in for an answer of `sectors`; returns when it could begin.

    Answers are counted in the order of their requests, since those that miss the L2 come late.
    """
    start = max(port.reply_free, at)
    bytes_ = sectors * machine.sm.l1d.sector_bytes
    port.reply_free = start + -(-bytes_ // machine.interconnect.reply_bytes)
    return start


@compiled
def packets(request):
    """Packets of a request: reads are one, what brings data is one a sector."""
    reads = request.kind == outbox.READ or request.kind == outbox.INSTRUCTION
    return 1 if reads else popcount(int(request.sectors))


@compiled
def route(port, map_, machine, out):
    """Send what an SM has put into its out box since the last call, in order, to its slices."""
    for k in range(out.routed, out.n):
        request = out.request[u(k)]
        request.slice = slice_hash.slice_of(map_, request.line)
        request.sent = _send(port, request.sent, packets(request))
        request.answer = 0
        if not outbox.is_store(request.kind):
            request.answer = _receive(port, machine, request.sent, popcount(int(request.sectors)))
    out.routed = out.n
