"""Links between SMs and L2 slices, as servers that are free from some cycle on (memory 4.4).

Virtual output queues are assumed: nothing waits behind a request for another slice. Unloaded
latencies are part of the L2's round trip; a link adds only what a request waits for its turn.
"""

from __future__ import annotations

from ..compiled import compiled, record

PORT = record(
    ("request_free", "i8"),  # an SM's way out: a packet a cycle
    ("reply_free", "i8"),  # its way in
)


@compiled
def send(port, at, packets):
    """An SM sends `packets` that are ready in cycle `at`; returns when the first one leaves."""
    start = max(port.request_free, at)
    port.request_free = start + packets
    return start


@compiled
def receive(port, machine, at, sectors):
    """Reserve an SM's way in for an answer of `sectors`; returns when it could begin.

    Answers are counted in the order of their requests, since those that miss the L2 come late.
    """
    start = max(port.reply_free, at)
    bytes_ = sectors * machine.sm.l1d.sector_bytes
    port.reply_free = start + -(-bytes_ // machine.interconnect.reply_bytes)
    return start
