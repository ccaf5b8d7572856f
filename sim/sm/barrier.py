"""CTA barriers: arrivals by barrier number, release after the last one (sm-core 1.7)."""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, lowest, record, u
from ..core import wheel
from ..core.limits import CTAS, SUBCORES

BARRIERS = 16

State = record(
    ("arrived", "i2", (CTAS, BARRIERS)),
    ("needed", "i2", (CTAS, BARRIERS)),  # warps; 0: all live warps of the CTA
    ("live", "i2", CTAS),  # warps of the CTA that have not exited
    ("fence", "i4", (CTAS, BARRIERS)),  # cycles for which a fence stops the SM at the release
)


@compiled
def _release(sm, machine, cta_slot, number, now):
    """Let every warp go that waits at this barrier."""
    visible = now + max(machine.sm.barrier.latency, 1)
    sm.barrier.arrived[u(cta_slot), u(number)] = 0
    stop = int(sm.barrier.fence[u(cta_slot), u(number)])
    sm.barrier.fence[u(cta_slot), u(number)] = 0
    for s in range(SUBCORES):
        sc = sm.subcores[u(s)]
        if stop:
            stalls.catch_up(sc, machine, now)
            sc.issue.free_at = max(sc.issue.free_at, now + stop)
        waiting = int(sc.issue.barrier)
        while waiting:
            warp = lowest(waiting)
            waiting &= waiting - 1
            here = sc.warps.cta_slot[u(warp)] == cta_slot
            if here and sc.issue.barrier_id[u(warp)] == number:
                sc.issue.barrier_id[u(warp)] = BARRIERS  # its release is on the way
                wheel.post(sc.wheel, now, visible, wheel.RELEASE, warp, 0, 0, 0)
                sc.next_at = min(sc.next_at, visible)


@compiled
def _release_if_complete(sm, machine, cta_slot, number, now):
    barrier = sm.barrier
    needed = int(barrier.needed[u(cta_slot), u(number)])
    if needed == 0:
        needed = int(barrier.live[u(cta_slot)])
    arrived = int(barrier.arrived[u(cta_slot), u(number)])
    if arrived and arrived >= needed:
        _release(sm, machine, cta_slot, number, now)


@compiled
def arrive(sc, sm, machine, inst, warp, now):
    """A warp's BAR has issued: it arrives."""
    cta_slot = int(sc.warps.cta_slot[u(warp)])
    number = int(inst.barrier_id)
    sm.barrier.arrived[u(cta_slot), u(number)] += 1
    sm.barrier.needed[u(cta_slot), u(number)] = inst.barrier_warps
    fence = max(int(inst.fence), int(sm.barrier.fence[u(cta_slot), u(number)]))
    sm.barrier.fence[u(cta_slot), u(number)] = fence
    _release_if_complete(sm, machine, cta_slot, number, now)


@compiled
def leave(sc, sm, machine, warp, now):
    """A warp has issued its last instruction: barriers no longer wait for it."""
    cta_slot = int(sc.warps.cta_slot[u(warp)])
    sm.barrier.live[u(cta_slot)] -= 1
    for number in range(BARRIERS):
        _release_if_complete(sm, machine, cta_slot, number, now)
