"""Issue: readiness and selection, at most one instruction a cycle (sm-core 3; Huerta et al. 5.1).

By default CGGTY, compiler-guided greedy then youngest: the warp that issued last if it is ready,
else the youngest ready warp. The compiler guides by stall count, yield, wait mask and DEPBAR.
"""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, record, u
from ..events import event_at
from . import (
    decode,
    dependence,
    execute,
    fetch,
    fp64_queue,
    l0_constant,
    memory_queue,
    queue,
    readiness,
    scoreboard,
    warps,
    wheel,
)
from .instruction import (
    DOUBLE,
    FIXED,
    QUEUED,
    SPECIAL,
    SYNC,
    clock_at,
    count_at,
    instruction_at,
    pc_at,
)
from .limits import BUFFER, WARPS

ISSUE_TO_CONTROL = 1
COUNTER_VISIBLE = 2  # an increment happens at the end of the first cycle in Control

# Choices of `sm.issue.policy`.
CGGTY, GTO, OLDEST, LRR = 0, 1, 2, 3

State = record(
    ("stalled", "i4"),  # warps whose stall count or yield has not run out
    ("barrier", "i4"),  # warps that wait at a CTA barrier
    ("l1tex_heads", "i4"),  # warps whose next instruction is a global or local access
    ("greedy", "i1"),  # warp that issued last; -1: none yet
    ("free_at", "i8"),  # cycle from which the issue port is free
    ("issued_at", "i8", WARPS),  # cycle of the warp's last issue
    ("barrier_id", "i2", WARPS),  # barrier at which the warp waits
)


@compiled
def first_pc(kernel, stream):
    """PC at which a warp's stream begins."""
    return int(pc_at(kernel.pcs, stream.path).pc)


@compiled
def port_held(sc, now):
    """Whether no instruction can issue: Control is taken, or a constant miss stops the sub-core."""
    return sc.control.latch.full or now < max(sc.issue.free_at, sc.constants.stop_until)


@compiled
def select(sc, machine, candidates):
    """The warp that the issue policy prefers."""
    greedy = int(sc.issue.greedy)
    policy = machine.sm.issue.policy
    if policy == LRR:
        return warps.following(candidates, max(greedy, 0))
    if policy != OLDEST and greedy >= 0 and candidates >> greedy & 1:
        return greedy
    if policy == CGGTY:
        return warps.youngest(sc.warps, candidates)
    return warps.oldest(sc.warps, candidates)


@compiled
def select_present(sc, kernel, machine, candidates, now):
    """The first candidate, in the order of `select`, whose constant operand is here; -1: none."""
    while candidates:
        warp = select(sc, machine, candidates)
        line = instruction_at(kernel.program, sc.decode.head[u(warp)]).constant - 1
        if line < 0 or kernel.warm_constants or l0_constant.present(sc.constants, machine, line):
            return warp
        if l0_constant.miss(sc.constants, machine, warp, line, now):
            return -1
        candidates &= ~(1 << warp)
    return -1


@compiled
def set_head(sc, kernel, machine, warp, now):
    """Note what the warp's next instruction waits for and where it goes."""
    bit = 1 << warp
    unit = int(sc.warps.unit[u(warp)])
    sc.execute.heads[u(unit)] &= ~bit
    sc.issue.l1tex_heads &= ~bit
    if sc.warps.left[u(warp)] == 0:
        dependence.set_head(sc.dependence, warp, 0)
        return
    inst = instruction_at(kernel.program, sc.decode.head[u(warp)])
    sc.warps.unit[u(warp)] = inst.unit
    sc.execute.heads[u(inst.unit)] |= bit
    if inst.l1tex:
        sc.issue.l1tex_heads |= bit
    dependence.set_head(sc.dependence, warp, int(inst.wait_mask))
    if kernel.registers:
        scoreboard.check(sc, kernel, machine, warp, now)


@compiled
def _record(sc, sm, kernel, warp, pc, now):
    """Open a row of the event table; -1 if none is kept."""
    if kernel.events == 0 or kernel.event_next == kernel.event_capacity:
        return -1
    row = kernel.event_next
    kernel.event_next += 1
    event = event_at(kernel.events, row)
    event.sm = sm.number
    event.subcore = sc.number
    event.warp = sc.warps.number[u(warp)]
    event.cta = sc.warps.cta[u(warp)]
    event.pc = pc
    event.fetch = sc.decode.fetched_at[u(warp), u(pc % BUFFER)]
    event.decode = sc.decode.decoded_at[u(warp), u(pc % BUFFER)]
    event.issue = now
    event.control = now + ISSUE_TO_CONTROL
    event.allocate = -1
    event.read_done = -1
    event.writeback = -1
    return row


@compiled
def _raise_counters(sc, inst, warp, now):
    """Increment the counters that guard the result and the sources."""
    visible = now + COUNTER_VISIBLE
    if inst.write_counter >= 0:
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, inst.write_counter, 1, 0)
        dependence.mark(sc.dependence, warp, int(inst.write_counter), int(inst.l1tex))
    if inst.read_counter >= 0:
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, inst.read_counter, 1, 0)
        dependence.mark(sc.dependence, warp, int(inst.read_counter), int(inst.l1tex))


@compiled
def _stall(sc, machine, inst, warp, now):
    """Apply the stall count; a barrier and the gate of a DEPBAR hold the warp as well."""
    if inst.distance > 1 and sc.warps.left[u(warp)] > 1:
        sc.issue.stalled |= 1 << warp
        wheel.end_stall(sc.wheel, warp, now + inst.distance)
    if inst.barrier == SYNC:
        sc.issue.barrier |= 1 << warp
        sc.issue.barrier_id[u(warp)] = inst.barrier_id
    if inst.gate:
        dependence.arm(sc.dependence, warp, inst)
        gate_at = now + machine.sm.issue.depbar_cycles
        wheel.post(sc.wheel, now, gate_at, wheel.GATE, warp, 0, 0, 0)


@compiled
def _advance(sc, kernel, machine, warp, pc, now):
    """Move to the warp's next dynamic instruction; a taken branch empties the buffer."""
    sc.warps.position[u(warp)] += 1
    sc.warps.left[u(warp)] -= 1
    decode.pop(sc.decode, warp)
    if sc.warps.left[u(warp)]:
        following = int(pc_at(kernel.pcs, sc.warps.position[u(warp)]).pc)
        if following != pc + 1:
            decode.redirect(sc.decode, warp, following)
            if machine.sm.fetch.redirect_delay:
                sc.fetch.redirecting |= 1 << warp
                fetch_at = now + machine.sm.fetch.redirect_delay
                wheel.post(sc.wheel, now, fetch_at, wheel.REDIRECT, warp, 0, 0, 0)
    else:
        decode.redirect(sc.decode, warp, 0)
        sc.warps.exited |= 1 << warp
    fetch.update_room(sc, machine, warp)
    set_head(sc, kernel, machine, warp, now)


@compiled
def _send(sc, kernel, machine, inst, warp, pc, access, event, now):
    """Take the pipe or a place in the queue, and the Issue-to-Control latch."""
    pipe = -1
    if inst.route == FIXED:
        pipe = execute.pipe_of(sc.execute, machine, int(inst.unit), now)
        sc.execute.free_at[u(pipe)] = now + inst.interval
    elif inst.route == SPECIAL:
        taken = execute.pipe_of(sc.execute, machine, int(inst.unit), now)
        sc.execute.free_at[u(taken)] = now + inst.interval
        queue.push(sc.execute.special, now, warp, pc, access, event)
    elif inst.route == DOUBLE:
        fp64_queue.push(sc, kernel, machine, inst, warp, pc, event, now)
    elif inst.route == QUEUED:
        memory_queue.push(sc.memory_queue, now, warp, pc, access, event)
    latch = sc.control.latch
    latch.full = 1
    latch.warp = warp
    latch.pipe = pipe
    latch.pc = pc
    latch.event = event
    sc.issue.free_at = now + 1 + inst.hold


@compiled
def _issue(sc, sm, kernel, machine, warp, now):
    pc = int(sc.decode.head[u(warp)])
    inst = instruction_at(kernel.program, pc)
    event = _record(sc, sm, kernel, warp, pc, now)
    access = sc.warps.access[u(warp)]
    if inst.accesses:
        sc.warps.access[u(warp)] += 1
    if inst.clock and kernel.clocks:
        clock_at(kernel.clocks, sc.warps.clock[u(warp)]).cycle = now + ISSUE_TO_CONTROL
        sc.warps.clock[u(warp)] += 1
    counted = count_at(kernel.counts, pc)
    counted.issued += 1
    counted.cycles += now - sc.issue.issued_at[u(warp)]
    sc.issue.issued_at[u(warp)] = now
    sc.issue.greedy = warp
    l0_constant.forget(sc.constants, warp)
    sc.writeback.in_flight[u(warp)] += 1
    _stall(sc, machine, inst, warp, now)
    if kernel.registers:
        scoreboard.reserve(sc, kernel, machine, inst, warp, pc, now)
    else:
        _raise_counters(sc, inst, warp, now)
    _send(sc, kernel, machine, inst, warp, pc, access, event, now)
    _advance(sc, kernel, machine, warp, pc, now)
    return pc


@compiled
def step(sc, sm, kernel, machine, now):
    """Issue at most one instruction; returns its PC, or -1."""
    busy, full = readiness.blocked(sc, machine, now)
    candidates = readiness.ready(sc) & ~busy & ~full
    held = port_held(sc, now)
    warp = -1
    if candidates and not held:
        warp = select_present(sc, kernel, machine, candidates, now)
        held = now < sc.constants.stop_until
    if warp < 0:
        stalls.count(sc, 0, held, busy, full, 1)
        return -1
    stalls.count(sc, 1 << warp, held, busy, full, 1)
    return _issue(sc, sm, kernel, machine, warp, now)
