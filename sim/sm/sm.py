"""One SM: its record, and the order of its units within a cycle (sm-core 0.3).

Units are visited only in cycles in which they can do something; between them time jumps.
"""

from __future__ import annotations

from ..compiled import compiled, record, u
from ..core import subcore
from ..core.instruction import instruction_at
from ..core.limits import CTAS, NEVER, SUBCORES
from . import barrier, cta, fp64, l0_vl, l1_data, l1_icache, memory_unit, outbox

SM = record(
    ("number", "i8"),
    ("now", "i8"),  # first cycle that has not been simulated
    ("visits", "i8"),  # sub-core visits
    ("progress_at", "i8"),  # last cycle in which an instruction issued or a warp left
    ("subcores", subcore.SUBCORE, SUBCORES),
    ("l1i", l1_icache.State),
    ("fp64", fp64.State),
    ("memory", memory_unit.State),
    ("l1d", l1_data.State),
    ("vl", l0_vl.State),
    ("barrier", barrier.State),
    ("cta", cta.State),
    ("out", outbox.OUT),
    ("inbox", outbox.IN),
)


@compiled
def begin_kernel(sm, number):
    """Empty an SM: caches cold, all places free, time zero. The record is zeroed already."""
    sm.number = number
    sm.cta.free = (1 << CTAS) - 1
    l1_data.clear(sm.l1d)
    for word in range(4):
        sm.memory.free_loads[u(word)] = (1 << 32) - 1
    sm.memory.last = SUBCORES - 1
    sm.l1i.last_demand = SUBCORES
    sm.l1i.last_prefetch = SUBCORES - 1
    for s in range(SUBCORES):
        sc = sm.subcores[u(s)]
        sc.number = s
        sc.scoreboard.board = number * SUBCORES + s
        sc.issue.greedy = -1
        sc.next_at = NEVER
        sm.fp64.waiting_at[u(s)] = NEVER
        sm.memory.waiting_at[u(s)] = NEVER


@compiled
def _take_replies(sm, kernel, machine, now):
    """Answers of the L2 that arrive by now."""
    box = sm.inbox
    while box.head < box.tail:
        reply = box.reply[u(box.head % len(box.reply))]
        if reply.at > now:
            return
        if reply.kind == outbox.INSTRUCTION:
            l1_icache.refill(sm, machine, reply.id, now)
        elif outbox.is_store(reply.kind):
            memory_unit.acknowledge(sm, reply.id, now)
        else:
            memory_unit.refill(sm, kernel, reply.id, now)
        box.head += 1


@compiled
def _synchronise(sc, sm, kernel, machine, pc, now):
    """What an issued instruction means to the other warps of its CTA."""
    warp = int(sc.issue.greedy)
    inst = instruction_at(kernel.program, pc)
    if inst.barrier:
        barrier.arrive(sc, sm, machine, inst, warp, now)
    if sc.warps.exited >> warp & 1:
        barrier.leave(sc, sm, machine, warp, now)


@compiled
def _reclaim(sc, sm, machine, now):
    """Give back the places of warps that are done."""
    done = subcore.reclaimable(sc, machine)
    warp = 0
    while done:
        if done & 1:
            subcore.reclaim(sc, warp)
            cta.warp_left(sm, int(sc.warps.cta_slot[u(warp)]), now)
            sm.progress_at = now
        done >>= 1
        warp += 1


@compiled(inline=True)
def _next_at(sm, now):
    """The next cycle in which anything of the SM can change."""
    at = cta.next_at(sm.cta)
    for s in range(SUBCORES):
        at = min(at, sm.subcores[u(s)].next_at)
    at = min(at, l1_icache.next_at(sm, now))
    at = min(at, fp64.next_at(sm, now))
    at = min(at, memory_unit.next_at(sm, now))
    at = min(at, l0_vl.next_at(sm.vl, now))
    box = sm.inbox
    if box.head < box.tail:
        at = min(at, box.reply[u(box.head % len(box.reply))].at)
    return max(at, now + 1)


@compiled
def run(sm, kernel, machine, until, stop_at_release):
    """Simulate cycles before `until`; stop early, behind the cycle, when a CTA slot became free."""
    while sm.now < until:
        now = sm.now
        _take_replies(sm, kernel, machine, now)
        l1_icache.step(sm, kernel, machine, now)
        fp64.step(sm, machine, now)
        memory_unit.step(sm, kernel, machine, now)
        for s in range(SUBCORES):
            sc = sm.subcores[u(s)]
            if sc.next_at > now:
                continue
            sm.visits += 1
            pc = subcore.step(sc, sm, kernel, machine, now)
            l1_icache.look(sm, machine, s)
            fp64.look(sm, s)
            memory_unit.look(sm, kernel, machine, s, now)
            if pc >= 0:
                sm.progress_at = now
                _synchronise(sc, sm, kernel, machine, pc, now)
            if sc.warps.exited:
                _reclaim(sc, sm, machine, now)
        l1_icache.grant(sm, machine, now)
        cta.launch_due(sm, kernel, machine, now)
        if stop_at_release and sm.cta.released > sm.cta.refilled:
            sm.now = now + 1
            return
        sm.now = min(_next_at(sm, now), until)


@compiled
def failure(sm):
    """Whether one of the fixed-size tables was too small: the results would be wrong."""
    bad = int(sm.inbox.overflow)
    for s in range(SUBCORES):
        sc = sm.subcores[u(s)]
        bad += int(sc.copies.overflow) + int(sc.wheel.overflow) + int(sc.fp64.waiting.overflow)
        bad += int(sc.writeback.fixed.overflow) + int(sc.writeback.special.overflow)
        bad += int(sc.writeback.load.overflow) + int(sc.execute.special.overflow)
    return bad != 0
