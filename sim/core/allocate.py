"""Allocate: books the operand reads of fixed-latency instructions (sm-core 4.1, 4.2).

An instruction that does not fit into its read window stays; Control and Issue stall behind it, and
the pipe that a held instruction is going to stays taken as long.
"""

from __future__ import annotations

from .. import events
from ..compiled import compiled, record, u
from . import register_file, wheel, writeback
from .execute import UNITS
from .instruction import instruction_at

LATCH = record(
    ("full", "i2"),
    ("warp", "i2"),
    ("pipe", "i1"),  # -1: none
    ("pc", "i4"),
    ("access", "i8"),
    ("event", "i8"),
)

FINISHES = 128  # power of two, longer than any fixed latency

State = record(
    ("latch", LATCH),
    ("finish_at", "i8", (UNITS, FINISHES)),  # cycles in which a pipe has a result, a ring
)


@compiled
def hold(sc, latch):
    """A held instruction keeps its pipe one cycle longer."""
    if latch.pipe >= 0:
        sc.execute.free_at[u(latch.pipe)] += 1


@compiled
def _finish_taken(sc, machine, pipe, at):
    """Whether another instruction of the pipe has its result in cycle `at`."""
    if not machine.sm.pipes.finish_conflict:
        return False
    return sc.allocate.finish_at[u(pipe), u(at % FINISHES)] == at


@compiled
def _hold_all(sc):
    """Nothing moves in Allocate and Control."""
    hold(sc, sc.allocate.latch)
    if sc.control.latch.full:
        hold(sc, sc.control.latch)


@compiled(inline=True)
def step(sc, kernel, machine, now):
    """Reserve the reads of the instruction in the latch, or hold it."""
    latch = sc.allocate.latch
    if not latch.full:
        return
    inst = instruction_at(kernel.program, latch.pc)
    warp = int(latch.warp)
    ports = sc.ports
    reads0, reads1 = int(inst.reads[0]), int(inst.reads[1])
    if machine.sm.register_file.cache:
        reads0, reads1 = register_file.reads_after_cache(ports, inst, warp)
    n_ports = machine.sm.register_file.read_ports
    end = now + inst.window
    if _finish_taken(sc, machine, latch.pipe, end + inst.latency):
        _hold_all(sc)
        return
    if not register_file.reserve_window(ports, reads0, reads1, now + 1, end, n_ports):
        _hold_all(sc)
        return
    if machine.sm.pipes.finish_conflict:
        finish = end + inst.latency
        sc.allocate.finish_at[u(latch.pipe), u(finish % FINISHES)] = finish
    if machine.sm.register_file.cache:
        register_file.update_cache(ports, inst, warp)
    if inst.read_counter >= 0:
        wheel.post(sc.wheel, now, end + 1, wheel.COUNTER, warp, inst.read_counter, -1, latch.pc)
    writeback.push_fixed(sc, inst, end + inst.latency, warp, latch.pc, latch.event)
    events.allocated(kernel, latch.event, now)
    events.read_done(kernel, latch.event, end)
    latch.full = 0
