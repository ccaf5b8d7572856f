"""CTAs to SMs, in order and breadth first, as places become free (sm-core 1.2)."""

from __future__ import annotations

from ..compiled import compiled, pointer_to, record, u
from ..core.limits import NEVER
from ..sm import cta
from ..sm.sm import SM

sm_at = pointer_to(SM)

STATE = record(
    ("next_cta", "i8"),  # first CTA that has not been given to an SM
    ("free_at", "i8"),  # cycle from which the dispatcher may launch again
    ("last_sm", "i8"),  # SM served last
)


@compiled
def _give(dispatch, sm, machine, at):
    """Give the next CTA to `sm`, in cycle `at` at the earliest."""
    if sm.cta.tail > sm.cta.head:
        newest = sm.cta.at[u((sm.cta.tail - 1) % len(sm.cta.at))]
        at = max(at, newest - machine.launch.cta_latency + machine.launch.sm_interval)
    at = max(at, dispatch.free_at)
    cta.assign(sm.cta, dispatch.next_cta, at + machine.launch.cta_latency)
    dispatch.next_cta += 1
    dispatch.free_at = at + machine.launch.gpu_interval
    dispatch.last_sm = sm.number


@compiled
def first_wave(dispatch, sms, n_sms, kernel, machine):
    """Fill the empty GPU: one CTA to each SM, then a second one, and so on."""
    dispatch.last_sm = n_sms - 1
    for round_ in range(kernel.ctas_per_sm):
        for s in range(n_sms):
            if dispatch.next_cta < kernel.n_ctas:
                _give(dispatch, sm_at(sms, s), machine, round_ * machine.launch.sm_interval)


@compiled
def earliest_release(sms, n_sms, last_sm):
    """The SM with a free place whose slot was freed first; ties go round robin. -1: none."""
    best = -1
    best_at = NEVER
    for k in range(n_sms):
        s = (last_sm + 1 + k) % n_sms
        at = cta.released_at(sm_at(sms, s).cta)
        if at < best_at:
            best = s
            best_at = at
    return best


@compiled
def refill(dispatch, sm, kernel, machine):
    """Give a new CTA to each place that `sm` has freed first, which takes a while."""
    at = cta.released_at(sm.cta)
    while cta.released_at(sm.cta) == at and dispatch.next_cta < kernel.n_ctas:
        cta.take_release(sm.cta)
        _give(dispatch, sm, machine, at + machine.launch.refill_latency)
        cta.launch_due(sm, kernel, machine, at)
