"""The fetch scheduler of a sub-core (sm-core 2.2): one fetch a cycle.

By default the greedy warp comes first, then the others from youngest to oldest; warps at a barrier
come last. The first with room in its buffer fetches. If the L0I refuses, nobody does in that cycle.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from . import decode, l0_icache, policy
from .limits import BUFFER

State = record(
    ("room", "i4"),  # warps with a free buffer entry and something left to fetch
    ("redirecting", "i4"),  # warps whose branch target may not be fetched yet
)


@compiled
def update_room(sc, kernel, machine, warp):
    """Note whether `warp` could fetch; nothing is fetched beyond the end of its stream or code."""
    entries = int(sc.decode.entries[u(warp)])
    left = sc.warps.left[u(warp)]
    in_code = sc.decode.head[u(warp)] + entries < kernel.n_instructions
    bit = 1 << warp
    if entries < machine.sm.fetch.buffer_entries and entries < left and in_code:
        sc.fetch.room |= bit
    else:
        sc.fetch.room &= ~bit


@compiled
def _candidate(sc, machine, greedy, now):
    """The warp that fetches, or -1."""
    room = int(sc.fetch.room) & ~int(sc.fetch.redirecting)
    if room == 0:
        return -1
    running = room & ~int(sc.issue.barrier)
    if running:
        room = running
    return policy.first(sc, machine, machine.sm.fetch.policy, room, greedy, now)


@compiled(inline=True)
def step(sc, kernel, machine, greedy, now):
    """Fetch one instruction; True if a hit took the response slot.

    `greedy` is the warp that had issued last when the cycle began.
    """
    warp = _candidate(sc, machine, greedy, now)
    if warp < 0:
        return False
    pc = int(sc.decode.head[u(warp)]) + int(sc.decode.entries[u(warp)])
    outcome = l0_icache.HIT
    if not (kernel.warm_icache or machine.sm.fetch.perfect):
        outcome = l0_icache.access(sc, machine, warp, pc)
    sc.l0i.refused = outcome == l0_icache.REFUSED
    if outcome == l0_icache.REFUSED:
        return False
    sc.decode.entries[u(warp)] += 1
    sc.decode.fetched_at[u(warp), u(pc % BUFFER)] = now
    update_room(sc, kernel, machine, warp)
    if outcome == l0_icache.WAITS:
        return False
    visible = now + decode.SLOT_TO_ISSUE
    if machine.sm.fetch.perfect:
        visible -= 1
    decode.respond(sc.decode, warp, pc, visible)
    return True
