"""One sub-core: its record, and the order of its stages.

Back to front, so that each latch moves at most once a cycle and a freed one is refilled in the same
cycle. A visit leaves in `next_at` the next cycle in which anything can change.
"""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, lowest, record, u
from . import (
    allocate,
    async_copy,
    control,
    decode,
    dependence,
    execute,
    fetch,
    fp64_queue,
    issue,
    l0_constant,
    l0_icache,
    memory_queue,
    readiness,
    register_file,
    scoreboard,
    stream_buffer,
    warps,
    wheel,
    writeback,
)
from .limits import COUNTERS, NEVER

SUBCORE = record(
    ("number", "i2"),
    ("next_at", "i8"),  # next cycle with something to do
    ("warps", warps.State),
    ("fetch", fetch.State),
    ("l0i", l0_icache.State),
    ("stream", stream_buffer.State),
    ("decode", decode.State),
    ("issue", issue.State),
    ("constants", l0_constant.State),
    ("dependence", dependence.State),
    ("copies", async_copy.State),
    ("scoreboard", scoreboard.State),
    ("control", control.State),
    ("allocate", allocate.State),
    ("ports", register_file.State),
    ("execute", execute.State),
    ("fp64", fp64_queue.State),
    ("memory_queue", memory_queue.State),
    ("writeback", writeback.State),
    ("wheel", wheel.State),
    ("stalls", stalls.State),
)


@compiled
def launch(sc, kernel, machine, warp, stream, serial, now):
    """A warp takes place `warp`; it may fetch from the next cycle on."""
    bit = 1 << warp
    sc.warps.resident |= bit
    sc.warps.serial[u(warp)] = serial
    sc.warps.unacknowledged[u(warp)] = 0
    sc.warps.position[u(warp)] = stream.path
    sc.warps.left[u(warp)] = stream.length
    sc.warps.access[u(warp)] = stream.access
    sc.warps.clock[u(warp)] = stream.clock
    sc.issue.issued_at[u(warp)] = now
    if sc.issue.greedy == warp:  # that was another warp in the same place
        sc.issue.greedy = -1
    sc.issue.started &= ~bit
    dependence.reset(sc.dependence, warp)
    async_copy.reset(sc.copies, warp)
    decode.redirect(sc.decode, warp, issue.first_pc(kernel, stream))
    sc.decode.redirected &= ~bit
    fetch.update_room(sc, kernel, machine, warp)
    if kernel.registers:
        scoreboard.reset(sc.scoreboard, kernel, warp)
    issue.set_head(sc, kernel, machine, warp, now)
    sc.next_at = min(sc.next_at, now + 1)


@compiled(inline=True)
def _happen(sc, kernel, machine, now):
    """What the wheel holds for this cycle becomes visible."""
    event, stall_end = wheel.vacate(sc.wheel, now)
    sc.issue.stalled &= ~stall_end
    while event:
        if sc.wheel.due[u(event)] > now:
            event = wheel.postpone(sc.wheel, now, event)
            continue
        what = int(sc.wheel.what[u(event)])
        warp = int(sc.wheel.warp[u(event)])
        if what == wheel.COUNTER:
            counter, delta = int(sc.wheel.counter[u(event)]), int(sc.wheel.delta[u(event)])
            if counter < COUNTERS:
                dependence.change(sc.dependence, warp, counter, delta)
            else:
                pc = int(sc.wheel.pc[u(event)])
                scoreboard.release(sc.scoreboard, kernel, machine, warp, pc, counter)
                scoreboard.check(sc, kernel, machine, warp, now)
        elif what == wheel.RECHECK:
            scoreboard.check(sc, kernel, machine, warp, now)
        elif what == wheel.GATE:
            dependence.enforce(sc.dependence, warp)
        elif what == wheel.RELEASE:
            sc.issue.barrier &= ~(1 << warp)
        elif what == wheel.FENCE:
            sc.issue.fence_timer &= ~(1 << warp)
        elif what == wheel.DONE:
            sc.writeback.in_flight[u(warp)] -= 1
        elif what == wheel.PLACE:
            sc.writeback.reserved[u(sc.wheel.counter[u(event)])] -= 1
        else:
            sc.fetch.redirecting &= ~(1 << warp)
        event = wheel.give_back(sc.wheel, event)
    dependence.settle(sc.dependence)


@compiled
def _idle(sc, among, stores):
    """Warps of a mask that have nothing in flight; with `stores`, all of theirs acknowledged."""
    mask = 0
    while among:
        warp = lowest(among)
        among &= among - 1
        idle = sc.writeback.in_flight[u(warp)] == 0 and sc.scoreboard.releases[u(warp)] == 0
        if stores and sc.warps.unacknowledged[u(warp)]:
            continue
        if idle and sc.dependence.raised[u(warp)] == 0:
            mask |= 1 << warp
    return mask


@compiled
def reclaimable(sc, machine):
    """Warps that have exited and have nothing in flight."""
    return _idle(sc, int(sc.warps.exited), machine.sm.memory_unit.exit_waits_for_stores)


@compiled
def _pass_fences(sc):
    """A fence lets its warp go when its time is over and all before it is done."""
    over = int(sc.issue.fenced) & ~int(sc.issue.fence_timer)
    if over:
        sc.issue.fenced &= ~_idle(sc, over, True)


@compiled
def reclaim(sc, warp):
    """The warp's place is free."""
    sc.warps.resident &= ~(1 << warp)
    sc.warps.exited &= ~(1 << warp)


@compiled(inline=True)
def _next_at(sc, kernel, machine, issued, now):
    """The next cycle in which a stage has something to do."""
    fetching = int(sc.fetch.room) & ~int(sc.fetch.redirecting)
    if issued or sc.control.latch.full or sc.allocate.latch.full:
        return now + 1
    if fetching and not sc.l0i.refused:
        return now + 1
    at = wheel.next_after(sc.wheel, now, NEVER)
    at = min(at, decode.next_at(sc.decode))
    emptying = (sc.warps.exited | sc.issue.fenced) != 0
    at = min(at, writeback.next_at(sc, kernel, machine, emptying))
    at = min(at, execute.next_at(sc.execute, now))
    at = min(at, memory_queue.next_at(sc.memory_queue, machine, now))
    at = min(at, l0_icache.next_at(sc, now))
    at = min(at, l0_constant.next_at(sc.constants))
    if readiness.ready(sc):
        at = min(at, max(sc.issue.free_at, sc.constants.stop_until, now + 1))
        at = min(at, execute.next_free(sc.execute, now))
    return at


@compiled(inline=True)
def step(sc, sm, kernel, machine, now):
    """One cycle; returns the PC issued, or -1."""
    stalls.catch_up(sc, machine, now)
    _happen(sc, kernel, machine, now)
    decode.step(sc.decode, now)
    l0_constant.step(sc.constants, machine, now)
    writeback.step(sc, kernel, machine, now)
    execute.step(sc, kernel, machine, now)
    memory_queue.step(sc, kernel, machine, now)
    allocate.step(sc, kernel, machine, now)
    control.step(sc, kernel, machine, now)
    _pass_fences(sc)
    greedy = int(sc.issue.greedy)
    issued = issue.step(sc, sm, kernel, machine, now)
    slot_taken = fetch.step(sc, kernel, machine, greedy, now)
    l0_icache.step(sc, machine, now, slot_taken)
    sc.stalls.counted_until = now + 1
    sc.next_at = _next_at(sc, kernel, machine, issued >= 0, now)
    return issued
