"""The whole GPU: SMs run in windows, then the L2 serves what they sent (engine 3.4, 4.5).

A window is as long as the shortest round trip from an SM to the L2, so an answer never falls into
the window of its request, and an SM can run a window alone. Requests are served in order of
(cycle, SM, order within the SM).

Any number of workers share the work, each in a thread of its own: each runs some of the SMs, then
serves some of the memory channels with their slices. Nothing that one of them changes in such a
phase concerns another, so the results are those of one worker.
"""

from __future__ import annotations

from ..compiled import compiled, entry, merged, pointer_to, record, u
from ..core.instruction import CONSTANTS, KERNEL
from ..machine.record import MACHINE
from ..sm import outbox, sm
from . import dispatch, dram, exchange, interconnect, l2, slice_hash, team
from .dispatch import sm_at

kernel_at = pointer_to(KERNEL)
machine_at = pointer_to(MACHINE)
order_at = pointer_to(exchange.ORDER)

# How a call of `run` ends.
RUNNING = 0
DONE = 1
STILL = 2  # no warp has issued or left for too long

SMS = 256

GPU = record(
    ("kernel", "i8"),  # addresses; the kernel's record once for each worker
    ("machine", "i8"),
    ("sms", "i8"),
    ("team", "i8"),
    ("orders", "i8"),  # once for each worker
    ("n_sms", "i8"),
    ("now", "i8"),  # first cycle of the next window
    ("dispatch", dispatch.STATE),
    ("l2", l2.STATE),
    ("dram", dram.STATE),
    ("port", interconnect.PORT, SMS),
    ("gpc", interconnect.GPC, interconnect.GPCS),
)


@entry
def begin_sms(gpu_array):
    """Empty the SMs, which takes its time: their memory is touched for the first time."""
    gpu = gpu_array[0]
    for s in range(gpu.n_sms):
        sm.begin_kernel(sm_at(gpu.sms, s), s)


@entry
def begin_kernel(gpu, follows, copies):
    """Start a kernel on empty SMs; its parameters are in the L2, as the launch wrote them.

    The L2 is empty unless the kernel `follows` another one, but for the host's `copies`, rows of
    address and bytes.
    """
    kernel, machine = kernel_at(gpu.kernel, 0), machine_at(gpu.machine, 0)
    slice_hash.begin(gpu.l2.map, machine.l2.slices)
    if follows:
        l2.begin(gpu.l2, machine)
    dram.begin(gpu.dram, machine)
    if machine.l2.memcpy_fills_l2:
        l2.install_copies(gpu.l2, machine, copies)
    for line in range(kernel.parameter_lines):
        l2.install(gpu.l2, machine, CONSTANTS // machine.l2.line_bytes + line)
    dispatch.first_wave(gpu.dispatch, gpu.sms, gpu.n_sms, kernel, machine)


@merged
def _run_sm(gpu, kernel, machine, s, until, stop_at_release):
    """An SM runs to the end of the window, or until it frees a place; its requests leave."""
    unit = sm_at(gpu.sms, s)
    sm.run(unit, kernel, machine, until, stop_at_release)
    interconnect.leave(gpu.port[u(s)], gpu.l2.map, machine, unit.out)


@merged
def _run_share(gpu, machine, worker, workers, until, stop_at_release):
    """Each `workers`-th SM takes the answers of the last window and runs this one."""
    kernel = kernel_at(gpu.kernel, worker)
    for s in range(worker, gpu.n_sms, workers):
        outbox.collect(sm_at(gpu.sms, s))
        _run_sm(gpu, kernel, machine, s, until, stop_at_release)


@merged
def _refill(gpu, machine, workers, until, stop_at_release):
    """Freed places are refilled in order of time; SMs that had stopped for it run on."""
    n_ctas = kernel_at(gpu.kernel, 0).n_ctas
    s = dispatch.earliest_release(gpu.sms, gpu.n_sms, gpu.dispatch.last_sm)
    while s >= 0 and gpu.dispatch.next_cta < n_ctas:
        kernel = kernel_at(gpu.kernel, s % workers)
        dispatch.refill(gpu.dispatch, sm_at(gpu.sms, s), kernel, machine)
        if stop_at_release:
            _run_sm(gpu, kernel, machine, s, until, gpu.dispatch.next_cta < n_ctas)
        s = dispatch.earliest_release(gpu.sms, gpu.n_sms, gpu.dispatch.last_sm)
    if stop_at_release:
        for s in range(gpu.n_sms):
            _run_sm(gpu, kernel_at(gpu.kernel, s % workers), machine, s, until, False)


@compiled
def _send_share(gpu, machine, worker, workers, begin):
    """The window's requests of each `workers`-th GPC leave it."""
    order, gpcs = order_at(gpu.orders, worker), machine.interconnect.gpcs
    n = exchange.sort(order, gpu.sms, gpu.n_sms, gpcs, worker, workers, begin)
    for k in range(n):
        s, number = exchange.sm_of(order, k), exchange.number_of(order, k)
        out = sm_at(gpu.sms, s).out
        interconnect.leave_gpc(gpu.gpc[u(s % gpcs)], gpu.l2.map, machine, out, number)


@compiled
def _serve_share(gpu, machine, worker, workers, begin):
    """The L2 serves the window's requests for each `workers`-th memory channel."""
    kernel, order = kernel_at(gpu.kernel, 0), order_at(gpu.orders, worker)
    n = exchange.sort(order, gpu.sms, gpu.n_sms, 0, worker, workers, begin)
    for k in range(n):
        out = sm_at(gpu.sms, exchange.sm_of(order, k)).out
        request = out.request[u(exchange.number_of(order, k))]
        l2.serve(gpu.l2, gpu.dram, kernel, machine, request)


@compiled
def _finished(gpu, kernel):
    if gpu.dispatch.next_cta < kernel.n_ctas:
        return False
    for s in range(gpu.n_sms):
        if sm_at(gpu.sms, s).cta.assigned:
            return False
    return True


@compiled
def _status(gpu, until, patience):
    last = 0
    for s in range(gpu.n_sms):
        last = max(last, sm_at(gpu.sms, s).progress_at)
    if _finished(gpu, kernel_at(gpu.kernel, 0)):
        return DONE
    if until - last > patience:
        return STILL
    return RUNNING


@merged
def _run_window(gpu, machine, worker, workers, begin, until, patience):
    """One worker's part of a window, from barrier to barrier; returns how far the kernel is.

    A place that is refilled late enough is handed out when all SMs have run.
    """
    refills = gpu.dispatch.next_cta < kernel_at(gpu.kernel, 0).n_ctas
    latency = machine.launch.refill_latency + machine.launch.cta_latency
    stop_at_release = refills and latency < until - begin
    _run_share(gpu, machine, worker, workers, until, stop_at_release)
    team.meet(gpu.team, worker, workers)
    if refills:
        if worker == 0:
            _refill(gpu, machine, workers, until, stop_at_release)
        team.meet(gpu.team, worker, workers)
    if interconnect.is_shared(machine):
        _send_share(gpu, machine, worker, workers, begin)
        team.meet(gpu.team, worker, workers)
    status = _status(gpu, until, patience)
    _serve_share(gpu, machine, worker, workers, begin)
    team.meet(gpu.team, worker, workers)
    return status


@entry
def run(gpu_array, worker, workers, windows, window, max_cycle, patience):
    """Simulate up to `windows` windows, not beyond `max_cycle`, together with the other workers."""
    gpu = gpu_array[0]
    now, status = gpu.now, RUNNING
    while windows and status == RUNNING and now < max_cycle:
        until = min(now + window, max_cycle)
        status = _run_window(gpu, machine_at(gpu.machine, 0), worker, workers, now, until, patience)
        now = until
        windows -= 1
    if worker == 0:
        gpu.now = now
    return status


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
    last = 0
    for s in range(gpu.n_sms):
        unit = sm_at(gpu.sms, s)
        outbox.collect(unit)
        last = max(last, unit.out.stores_done, unit.cta.last_end)
    return last + 1
