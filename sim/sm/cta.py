"""CTA slots of an SM: launch of a CTA's warps, and its end (sm-core 1.2 to 1.6)."""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, record, u
from ..core import subcore
from ..core.instruction import stream_at
from ..core.limits import CTAS, NEVER, SUBCORES

State = record(
    ("free", "i8"),  # slots that hold no CTA
    ("warps", "i2", CTAS),  # warps of a slot's CTA that still occupy their place
    ("serials", "i8"),  # warps launched so far
    ("head", "i8"),  # CTAs assigned to this SM and not launched yet, in order of time
    ("tail", "i8"),
    ("at", "i8", CTAS),
    ("number", "i4", CTAS),
    ("assigned", "i8"),  # CTAs assigned or resident
    ("released", "i8"),  # slots that became free,
    ("refilled", "i8"),  # and those of them that the dispatcher has seen
    ("freed_at", "i8", CTAS),  # when the newest of them did
    ("last_end", "i8"),  # cycle in which the last CTA ended
    ("resident", "i8"),  # CTAs in the slots
    ("active_since", "i8"),  # first cycle of the current spell with a resident CTA
    ("active_cycles", "i8"),  # cycles of the spells before it
)


@compiled
def assign(cta, number, at):
    """The dispatcher gives CTA `number` to this SM, to start in cycle `at`."""
    slot = cta.tail % CTAS
    cta.at[u(slot)] = at
    cta.number[u(slot)] = number
    cta.tail += 1
    cta.assigned += 1


@compiled
def released_at(cta):
    """When the first slot became free that the dispatcher has not seen; NEVER: there is none."""
    if cta.refilled == cta.released:
        return NEVER
    return cta.freed_at[u(cta.refilled % CTAS)]


@compiled
def take_release(cta):
    """The dispatcher has seen it."""
    cta.refilled += 1


@compiled
def next_at(cta):
    """The cycle in which the next assigned CTA starts."""
    if cta.head == cta.tail:
        return NEVER
    return cta.at[u(cta.head % CTAS)]


@compiled
def _launch_warp(sm, kernel, machine, slot, number, warp_number, now):
    """One warp takes its place: hardware slot h lives on sub-core h mod 4."""
    hardware = slot * kernel.warps_per_cta + warp_number
    sc = sm.subcores[u(hardware % SUBCORES)]
    stalls.catch_up(sc, machine, now + 1)
    sm.cta.serials += 1
    stream = stream_at(kernel.streams, number * kernel.warps_per_cta + warp_number)
    subcore.launch(sc, kernel, machine, hardware // SUBCORES, stream, sm.cta.serials, now)
    warp = hardware // SUBCORES
    sc.warps.cta_slot[u(warp)] = slot
    sc.warps.cta[u(warp)] = number
    sc.warps.number[u(warp)] = warp_number


@compiled
def launch_due(sm, kernel, machine, now):
    """At the end of a cycle, start the CTAs whose time has come, in the lowest free slots."""
    cta = sm.cta
    while cta.head < cta.tail and cta.at[u(cta.head % CTAS)] <= now:
        number = int(cta.number[u(cta.head % CTAS)])
        slot = 0
        while cta.free >> slot & 1 == 0:
            slot += 1
        cta.free &= ~(1 << slot)
        cta.head += 1
        if cta.resident == 0:
            cta.active_since = now + 1
        cta.resident += 1
        cta.warps[u(slot)] = kernel.warps_per_cta
        sm.barrier.live[u(slot)] = kernel.warps_per_cta
        for warp_number in range(kernel.warps_per_cta):
            _launch_warp(sm, kernel, machine, slot, number, warp_number, now)


@compiled
def warp_left(sm, slot, now):
    """A warp gave its place back; the CTA ends with its last one."""
    cta = sm.cta
    cta.warps[u(slot)] -= 1
    if cta.warps[u(slot)] == 0:
        cta.free |= 1 << slot
        cta.assigned -= 1
        cta.resident -= 1
        if cta.resident == 0:
            cta.active_cycles += now + 1 - cta.active_since
        cta.freed_at[u(cta.released % CTAS)] = now
        cta.released += 1
        cta.last_end = max(cta.last_end, now)
