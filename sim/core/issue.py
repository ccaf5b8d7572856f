"""Issue: readiness and selection, at most one instruction a cycle (sm-core 3; Huerta et al. 5.1).

By default the warp that issued last goes on if it is ready, else that one whose last issue is
longest ago (`policy.LRI`; the paper says CGGTY, compiler-guided greedy then youngest). The compiler
guides by stall count, yield, wait mask and DEPBAR.
"""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, record, u
from ..events import event_at
from . import (
    async_copy,
    decode,
    dependence,
    execute,
    fetch,
    l0_constant,
    policy,
    readiness,
    scoreboard,
    variable_latency,
    wheel,
    writeback,
)
from .instruction import (
    FIXED,
    SYNC,
    clock_at,
    count_at,
    instruction_at,
    pc_at,
)
from .limits import BUFFER, WARPS

ISSUE_TO_CONTROL = 1
COUNTER_VISIBLE = 2  # an increment happens at the end of the first cycle in Control

# Choices of `sm.issue.depbar`, `sm.fence.holds` and `sm.l0_constant.probe`.
HOLD = 1
CTA = 1
ALL = 1

State = record(
    ("stalled", "i4"),  # warps whose stall count or yield has not run out
    ("barrier", "i4"),  # warps that wait at a CTA barrier
    ("fenced", "i4"),  # warps that wait behind a memory fence
    ("fence_timer", "i4"),  # of them, those that must wait in any case
    ("started", "i4"),  # warps that have issued
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
def _absent(sc, kernel, machine, warp):
    """Line of the warp's constant operand, if it has one that is not in the L0; else -1."""
    line = instruction_at(kernel.program, sc.decode.head[u(warp)]).constant - 1
    if line < 0 or kernel.warm_constants or l0_constant.present(sc.constants, machine, line):
        return -1
    return line


@compiled
def _probe_all(sc, kernel, machine, candidates, now):
    """As the authors do: warps that cannot issue ask for their operands too, on the way.

    Only a miss of the greedy warp stops the sub-core. -1: nobody issues.
    """
    among = int(sc.decode.valid) & ~int(sc.issue.barrier)
    while among:
        warp = policy.first(sc, machine, machine.sm.issue.policy, among, int(sc.issue.greedy), now)
        among &= ~(1 << warp)
        line = _absent(sc, kernel, machine, warp)
        if line < 0:
            if candidates >> warp & 1:
                return warp
        elif warp != sc.issue.greedy:
            l0_constant.request(sc.constants, warp, line)
        elif l0_constant.miss(sc.constants, machine, warp, line, now):
            return -1
    return -1


@compiled
def select(sc, kernel, machine, candidates, now):
    """The first candidate, in the order of the policy, whose constant operand is here; -1: none."""
    if machine.sm.l0_constant.probe == ALL:
        return _probe_all(sc, kernel, machine, candidates, now)
    while candidates:
        warp = policy.first(
            sc, machine, machine.sm.issue.policy, candidates, int(sc.issue.greedy), now
        )
        line = _absent(sc, kernel, machine, warp)
        if line < 0:
            return warp
        if l0_constant.miss(sc.constants, machine, warp, line, now):
            return -1
        candidates &= ~(1 << warp)
    return -1


@compiled(inline=True)
def set_head(sc, kernel, machine, warp, now):
    """Note what the warp's next instruction waits for and where it goes."""
    bit = 1 << warp
    unit = int(sc.warps.unit[u(warp)])
    for k in range(writeback.RESULT_QUEUES):
        sc.writeback.heads[u(k)] &= ~bit
    sc.issue.l1tex_heads &= ~bit
    if sc.warps.left[u(warp)] == 0:
        execute.set_head(sc.execute, warp, unit, -1)
        dependence.set_head(sc.dependence, warp, 0)
        return
    inst = instruction_at(kernel.program, sc.decode.head[u(warp)])
    sc.warps.unit[u(warp)] = inst.unit
    execute.set_head(sc.execute, warp, unit, int(inst.unit))
    sc.writeback.heads[u(inst.result)] |= bit
    async_copy.set_head(sc.copies, machine, warp, inst)
    if inst.l1tex:
        sc.issue.l1tex_heads |= bit
    dependence.set_head(sc.dependence, warp, int(inst.wait_mask))
    if inst.gate and machine.sm.issue.depbar == HOLD:
        dependence.arm(sc.dependence, warp, inst)
        dependence.hold_head(sc.dependence, warp)
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
    event.slot = warp
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


@compiled(inline=True)
def _raise_counters(sc, inst, warp, now):
    """Increment the counters that guard the result and the sources."""
    visible = now + COUNTER_VISIBLE
    if inst.write_counter >= 0:
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, inst.write_counter, 1, 0)
        dependence.mark(sc.dependence, warp, int(inst.write_counter), int(inst.l1tex))
    if inst.read_counter >= 0:
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, inst.read_counter, 1, 0)
        dependence.mark(sc.dependence, warp, int(inst.read_counter), int(inst.l1tex))


@compiled(inline=True)
def _stall(sc, machine, inst, warp, now):
    """Apply the stall count; a barrier and the gate of a DEPBAR hold the warp as well."""
    if inst.distance > 1 and sc.warps.left[u(warp)] > 1:
        sc.issue.stalled |= 1 << warp
        wheel.end_stall(sc.wheel, warp, now + inst.distance)
    if inst.barrier == SYNC:
        sc.issue.barrier |= 1 << warp
        sc.issue.barrier_id[u(warp)] = inst.barrier_id
    elif inst.fence and machine.sm.fence.holds != CTA:
        sc.issue.fenced |= 1 << warp
        sc.issue.fence_timer |= 1 << warp
        wheel.post(sc.wheel, now, now + inst.fence, wheel.FENCE, warp, 0, 0, 0)
    if inst.gate and machine.sm.issue.depbar != HOLD:
        dependence.arm(sc.dependence, warp, inst)
        gate_at = now + machine.sm.issue.depbar_cycles
        wheel.post(sc.wheel, now, gate_at, wheel.GATE, warp, 0, 0, 0)


@compiled(inline=True)
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
    fetch.update_room(sc, kernel, machine, warp)
    set_head(sc, kernel, machine, warp, now)


@compiled(inline=True)
def _send(sc, kernel, machine, inst, warp, pc, access, event, now):
    """Take the pipe or a place in the queue, and the Issue-to-Control latch."""
    pipe = -1
    if inst.route == FIXED:
        pipe = execute.pipe_of(sc.execute, machine, int(inst.unit), now)
        sc.execute.free_at[u(pipe)] = now + inst.interval
        sc.writeback.reserved[u(inst.result)] += machine.sm.result_queue.reserve
    elif machine.sm.local_unit.admit == variable_latency.ISSUE:
        variable_latency.accept(sc, kernel, machine, inst, warp, pc, access, event, now, now)
    latch = sc.control.latch
    latch.full = 1
    latch.warp = warp
    latch.pipe = pipe
    latch.pc = pc
    latch.access = access
    latch.event = event
    sc.issue.free_at = now + 1 + inst.hold


@compiled(inline=True)
def _issue(sc, sm, kernel, machine, warp, now):
    pc = int(sc.decode.head[u(warp)])
    inst = instruction_at(kernel.program, pc)
    event = _record(sc, sm, kernel, warp, pc, now)
    access = sc.warps.access[u(warp)]
    if inst.accesses:
        sc.warps.access[u(warp)] += 1
    if inst.copies:
        async_copy.start(sc.copies, warp)
    elif inst.commits:
        async_copy.close(sc, inst, warp, now + COUNTER_VISIBLE, now)
        dependence.mark(sc.dependence, warp, int(inst.commits) - 1, 1)
    if inst.clock and kernel.clocks:
        clock_at(kernel.clocks, sc.warps.clock[u(warp)]).cycle = now + ISSUE_TO_CONTROL
        sc.warps.clock[u(warp)] += 1
    counted = count_at(kernel.counts, pc)
    counted.issued += 1
    counted.cycles += now - sc.issue.issued_at[u(warp)]
    sc.issue.issued_at[u(warp)] = now
    sc.issue.greedy = warp
    sc.issue.started |= 1 << warp
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


@compiled(inline=True)
def step(sc, sm, kernel, machine, now):
    """Issue at most one instruction; returns its PC, or -1."""
    busy, full = readiness.blocked(sc, machine, now)
    candidates = readiness.ready(sc) & ~busy & ~full
    held = port_held(sc, now)
    warp = -1
    probing = machine.sm.l0_constant.probe == ALL
    if (candidates or probing) and not held:
        warp = select(sc, kernel, machine, candidates, now)
        held = now < sc.constants.stop_until
    if warp < 0:
        stalls.count(sc, 0, held, busy, full, now, 1)
        return -1
    stalls.count(sc, 1 << warp, held, busy, full, now, 1)
    return _issue(sc, sm, kernel, machine, warp, now)
