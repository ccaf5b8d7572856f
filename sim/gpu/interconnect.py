"""Links between SMs and L2 slices, as servers that are free from some cycle on (memory 4.4).

Virtual output queues are assumed: nothing waits behind a request for another slice. Unloaded
latencies are part of the L2's round trip; a link adds only what a request waits for its turn.

Each SM has a port of its own. What SMs of a GPC share, a port and a table of pages, exists only if
the machine says so, since requests then have to be put in order first.
"""

from __future__ import annotations

from ..compiled import compiled, popcount, record, u
from ..sm import outbox
from . import slice_hash, translation

GPCS = 16

PORT = record(
    ("request_free", "i8"),  # the way out: a packet a cycle of an SM
    ("reply_free", "i8"),  # the way in
)

GPC = record(
    ("port", PORT),  # times are in bytes
    ("table", translation.STATE),
)


@compiled
def is_shared(machine):
    """Whether requests of SMs of a GPC meet before they reach the L2."""
    return machine.interconnect.gpc_bytes > 0 or machine.translation.miss_cycles > 0


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
def _packets(request):
    """Packets of a request: reads are one, what brings data is one a sector."""
    reads = request.kind == outbox.READ or request.kind == outbox.INSTRUCTION
    return 1 if reads else popcount(int(request.sectors))


@compiled
def _address(map_, machine, out, k):
    """Find the slice of a request, and the memory channel that it belongs to."""
    request = out.request[u(k)]
    request.slice = slice_hash.slice_of(map_, request.line)
    out.channel[u(k)] = request.slice // (machine.l2.slices // machine.dram.channels)
    request.late = 0


@compiled
def leave(port, map_, machine, out):
    """Send what an SM has put into its out box since the last call, in order.

    A request goes to its slice, or first to what the SM shares with others of its GPC.
    """
    shared = is_shared(machine)
    for k in range(out.sent, out.n):
        request = out.request[u(k)]
        request.sent = _send(port, request.sent, _packets(request))
        request.answer = 0
        if not outbox.is_store(request.kind):
            sectors = popcount(int(request.sectors))
            request.answer = _receive(port, machine, request.sent, sectors)
        if not shared:
            _address(map_, machine, out, k)
    out.sent = out.n


@compiled
def _pass_port(port, machine, request):
    """A request's turn on the way out of its GPC, and its answer's on the way in."""
    width, sector = machine.interconnect.gpc_bytes, machine.sm.l1d.sector_bytes
    start = max(port.request_free, request.sent * width)
    port.request_free = start + _packets(request) * sector
    request.sent = start // width
    if not outbox.is_store(request.kind):
        start = max(port.reply_free, max(request.answer, request.sent) * width)
        port.reply_free = start + popcount(int(request.sectors)) * sector
        request.answer = start // width


@compiled
def leave_gpc(gpc, map_, machine, out, k):
    """Send on to its slice what comes in order of time from the SMs of a GPC."""
    _address(map_, machine, out, k)
    request = out.request[u(k)]
    if machine.interconnect.gpc_bytes:
        _pass_port(gpc.port, machine, request)
    if machine.translation.miss_cycles:
        request.late = translation.lateness(gpc.table, machine, request.line, request.sent)
