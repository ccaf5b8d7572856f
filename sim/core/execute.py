"""Execution units of a sub-core: pipes, initiation intervals, special functions (sm-core 5.1).

A pipe is taken at issue for the instruction's initiation interval. FP32 has two pipes to choose
from where the architecture lets it use the integer pipe.
"""

from __future__ import annotations

from .. import events
from ..compiled import compiled, lowest, record, u
from . import queue, register_file, wheel
from .instruction import instruction_at
from .limits import NEVER

UNITS = 12  # members of isa.Unit
ISSUE_TO_READ = 3  # variable latency: Control, latch, read

# Numbers of isa.Unit.
ALU, FMA, FMA_HEAVY, FP16, XU, UNIFORM = 0, 1, 2, 3, 4, 6
FP64, MEMORY = 10, 11
PIPES = (1 << FP64) - 1  # units of the sub-core itself

SPECIALS = 12  # in flight; ten without conflicts over register-file ports

State = record(
    ("free_at", "i8", UNITS),  # cycle from which a pipe takes an instruction
    ("wanted", "i4"),  # units that the next instruction of some warp uses
    ("heads", "i4", UNITS),  # these warps
    ("special", queue.queue_of(16)),  # special functions that have not read yet, by issue
)


@compiled
def pipe_of(execute, machine, unit, now):
    """The pipe that an instruction of `unit` takes in this cycle, or -1 if all are busy."""
    pipe = unit
    if unit == FMA_HEAVY or (unit == FP16 and not machine.sm.pipes.fp16_pipe):
        pipe = FMA
    if execute.free_at[u(pipe)] <= now:
        return pipe
    if unit == FMA and machine.sm.pipes.fp32_on_integer_pipe and execute.free_at[ALU] <= now:
        return ALU
    return -1


@compiled
def special_full(sc):
    """Whether variable-latency results wait for so many ports that no more may start."""
    in_flight = queue.length(sc.execute.special) + queue.length(sc.writeback.special)
    return in_flight >= SPECIALS


@compiled
def busy(execute, machine, now):
    """Warps whose next instruction finds no free pipe."""
    blocked = 0
    units = int(execute.wanted) & PIPES
    if machine.sm.local_unit.admit:  # special functions wait in Control
        units &= ~(1 << XU)
    while units:
        unit = lowest(units)
        units &= units - 1
        if pipe_of(execute, machine, unit, now) < 0:
            blocked |= int(execute.heads[u(unit)])
    return blocked


@compiled
def set_head(execute, warp, old, new):
    """The warp's next instruction uses unit `new` (-1: none), the one before it used `old`."""
    bit = 1 << warp
    execute.heads[u(old)] &= ~bit
    if execute.heads[u(old)] == 0:
        execute.wanted &= ~(1 << old)
    if new >= 0:
        execute.heads[u(new)] |= bit
        execute.wanted |= 1 << new


@compiled
def next_free(execute, now):
    """The next cycle in which a pipe becomes free."""
    at = NEVER
    for unit in range(FP64):
        if execute.free_at[u(unit)] > now:
            at = min(at, execute.free_at[u(unit)])
    return at


@compiled(inline=True)
def step(sc, kernel, machine, now):
    """The oldest special function reads its operands, if the ports are free."""
    special = sc.execute.special
    if queue.length(special) == 0:
        return
    entry = queue.front(special)
    if entry.at + ISSUE_TO_READ > now:
        return
    inst = instruction_at(kernel.program, entry.pc)
    if not register_file.read_now(sc.ports, inst, now, machine.sm.register_file.read_ports):
        return
    delayed_issue = now - ISSUE_TO_READ
    released = delayed_issue + inst.read_latency
    if inst.read_counter >= 0:
        warp, counter = int(entry.warp), int(inst.read_counter)
        wheel.post(sc.wheel, now, released, wheel.COUNTER, warp, counter, -1, entry.pc)
    events.read_done(kernel, entry.event, released - 1)
    at = delayed_issue + inst.latency - 1
    queue.push(sc.writeback.special, at, entry.warp, entry.pc, 0, entry.event)
    queue.pop(special)


@compiled
def next_at(execute, now):
    """The next cycle in which a special function may read."""
    if queue.length(execute.special) == 0:
        return NEVER
    return max(queue.front(execute.special).at + ISSUE_TO_READ, now + 1)
