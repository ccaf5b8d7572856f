"""The whole GPU: SMs run in windows, then the L2 serves what they sent (engine 3.4, 4.5).

A window is as long as the shortest round trip from an SM to the L2, so an answer never falls into
the window of its request, and an SM can run a window alone. Requests are served in order of
(cycle, SM, order within the SM).
"""

from __future__ import annotations

from ..compiled import compiled, entry, pointer_to, record, u
from ..core.instruction import CONSTANTS, KERNEL
from ..core.limits import NEVER
from ..machine.record import MACHINE
from ..sm import outbox, sm
from . import dispatch, dram, interconnect, l2, slice_hash
from .dispatch import sm_at

kernel_at = pointer_to(KERNEL)
machine_at = pointer_to(MACHINE)

# How a call of `run` ends.
RUNNING = 0
DONE = 1
STILL = 2  # no warp has issued or left for too long

SMS = 256

GPU = record(
    ("kernel", "i8"),  # addresses; the kernel's record once for each thread
    ("machine", "i8"),
    ("sms", "i8"),
    ("n_sms", "i8"),
    ("now", "i8"),  # first cycle of the next window
    ("stores_done", "i8"),  # cycle in which the last store is acknowledged
    ("dispatch", dispatch.STATE),
    ("l2", l2.STATE),
    ("dram", dram.STATE),
    ("port", interconnect.PORT, SMS),
    ("cursor", "i8", SMS),  # next request of each SM, while a window is served
    ("sender", "i8", SMS),  # SMs that have requests in the window, in order
)


@entry
def begin_kernel(gpu, follows):
    """Start a kernel on empty SMs; its parameters are in the L2, as the launch wrote them.

    The L2 is empty unless the kernel `follows` another one.
    """
    kernel, machine = kernel_at(gpu.kernel, 0), machine_at(gpu.machine, 0)
    slice_hash.begin(gpu.l2.map, machine.l2.slices)
    if follows:
        l2.begin(gpu.l2, machine)
    dram.begin(gpu.dram, machine)
    for line in range(kernel.parameter_lines):
        l2.install(gpu.l2, gpu.dram, machine, CONSTANTS // machine.l2.line_bytes + line)
    for s in range(gpu.n_sms):
        sm.begin_kernel(sm_at(gpu.sms, s), s)
    dispatch.first_wave(gpu.dispatch, gpu.sms, gpu.n_sms, kernel, machine)


@compiled
def _run_share(gpu, machine, worker, workers, until):
    """Each `workers`-th SM runs to the end of the window, or until it frees a place."""
    kernel = kernel_at(gpu.kernel, worker)
    for s in range(worker, gpu.n_sms, workers):
        sm.run(sm_at(gpu.sms, s), kernel, machine, until, gpu.dispatch.next_cta < kernel.n_ctas)


@compiled
def _refill(gpu, machine, workers, until):
    """Freed places are refilled in order of time, and their SMs run on."""
    s = dispatch.earliest_release(gpu.sms, gpu.n_sms, gpu.dispatch.last_sm)
    while s >= 0:
        kernel = kernel_at(gpu.kernel, s % workers)
        unit = sm_at(gpu.sms, s)
        dispatch.refill(gpu.dispatch, unit, kernel, machine)
        sm.run(unit, kernel, machine, until, gpu.dispatch.next_cta < kernel.n_ctas)
        s = dispatch.earliest_release(gpu.sms, gpu.n_sms, gpu.dispatch.last_sm)


@compiled
def _serve(gpu, machine, s, request):
    at = l2.serve(gpu.l2, gpu.dram, machine, gpu.port[u(s)], request)
    stores = outbox.is_store(request.kind)
    if stores:
        gpu.stores_done = max(gpu.stores_done, at)
    if not stores or request.id:
        outbox.answer(sm_at(gpu.sms, s), at, request.kind, request.id)


@compiled(inline=True)
def _serve_cycle(gpu, machine, s, cycle):
    """Serve what SM `s` asked for in `cycle`; returns the cycle of its next request."""
    out = sm_at(gpu.sms, s).out
    k = gpu.cursor[u(s)]
    while k < out.n and out.request[u(k)].at == cycle:
        _serve(gpu, machine, s, out.request[u(k)])
        k += 1
    gpu.cursor[u(s)] = k
    return out.request[u(k)].at if k < out.n else NEVER


@compiled
def _senders(gpu):
    """List the SMs that have requests; returns how many."""
    n = 0
    for s in range(gpu.n_sms):
        gpu.cursor[u(s)] = 0
        if sm_at(gpu.sms, s).out.n:
            gpu.sender[u(n)] = s
            n += 1
    return n


@compiled
def _serve_window(gpu, machine, begin):
    """The L2 serves the window's requests in order of (cycle, SM, order within the SM)."""
    senders = _senders(gpu)
    cycle = begin
    while senders and cycle < NEVER:
        next_cycle = NEVER
        for k in range(senders):
            next_cycle = min(next_cycle, _serve_cycle(gpu, machine, gpu.sender[u(k)], cycle))
        cycle = next_cycle
    for k in range(senders):
        sm_at(gpu.sms, gpu.sender[u(k)]).out.n = 0


@compiled
def _finished(gpu, kernel):
    if gpu.dispatch.next_cta < kernel.n_ctas:
        return False
    for s in range(gpu.n_sms):
        if sm_at(gpu.sms, s).cta.assigned:
            return False
    return True


@compiled
def _status(gpu, kernel, patience):
    last = 0
    for s in range(gpu.n_sms):
        last = max(last, sm_at(gpu.sms, s).progress_at)
    if _finished(gpu, kernel):
        return DONE
    if gpu.now - last > patience:
        return STILL
    return RUNNING


@compiled
def _end_window(gpu, machine, workers, until, patience):
    """What needs all SMs: refill them, serve what they sent, and see how far they are."""
    _refill(gpu, machine, workers, until)
    _serve_window(gpu, machine, gpu.now)
    gpu.now = until
    return _status(gpu, kernel_at(gpu.kernel, 0), patience)


@entry
def run_share(gpu_array, worker, workers, until):
    """One thread's part of a window that ends at `until`."""
    gpu = gpu_array[0]
    _run_share(gpu, machine_at(gpu.machine, 0), worker, workers, until)


@entry
def end_window(gpu_array, workers, until, patience):
    """The part of a window that one thread does when all shares are done."""
    gpu = gpu_array[0]
    return _end_window(gpu, machine_at(gpu.machine, 0), workers, until, patience)


@entry
def run(gpu_array, windows, window, max_cycle, patience):
    """Simulate in one thread up to `windows` windows, not beyond `max_cycle`."""
    gpu = gpu_array[0]
    machine = machine_at(gpu.machine, 0)
    for _ in range(windows):
        until = min(gpu.now + window, max_cycle)
        _run_share(gpu, machine, 0, 1, until)
        status = _end_window(gpu, machine, 1, until, patience)
        if status != RUNNING or until == max_cycle:
            return status
    return RUNNING


@entry
def failed(gpu):
    """Whether a fixed-size table of some SM was too small."""
    for s in range(gpu.n_sms):
        if sm.failure(sm_at(gpu.sms, s)):
            return True
    return False


@entry
def execution_cycles(gpu):
    """Cycles from the first dispatch until the last CTA has ended and its stores are done."""
    last = gpu.stores_done
    for s in range(gpu.n_sms):
        last = max(last, sm_at(gpu.sms, s).cta.last_end)
    return last + 1
