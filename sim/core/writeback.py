"""Results on their way into the register file (sm-core 6.1, 6.2).

Order of precedence for a bank's write port in a cycle: fixed-latency results, special-function
results, results from the SM (loads, FP64). A fixed-latency result that finds its port taken waits
in the result queue, which nobody sees (consumers use the bypass); a load is one cycle late.
"""

from __future__ import annotations

from .. import events
from ..compiled import compiled, record, u
from . import async_copy, queue, wheel
from .instruction import DOUBLE, instruction_at
from .limits import BANKS, NEVER, WARPS

RESULT_QUEUES = 3  # by `INSTRUCTION.result`; the first stands for no result

State = record(
    ("awaited", "i8"),  # fixed-latency instructions in flight with a write counter
    ("doubles", "i8"),  # results of the FP64 unit among them
    ("latch_free", "i8"),  # cycle from which the latch takes the next load
    ("beat_at", "i8"),  # cycle in which the latch's current beat ends; 0: not begun
    ("registers_done", "i8"),  # of the load in the latch
    ("fixed", queue.queue_of(64)),  # result queue, by arrival
    ("reserved", "i2", RESULT_QUEUES),  # places taken at issue, if `sm.result_queue` says so
    ("written_at", "i8", RESULT_QUEUES),  # the same: cycle of the last write
    ("heads", "i4", RESULT_QUEUES),  # warps whose next instruction has a result for a queue
    ("special", queue.queue_of(16)),  # by the cycle of the write
    ("load", queue.queue_of(256)),  # by the cycle of the first beat; one latch serves them in order
    ("port_at", "i8", BANKS),  # last cycle in which a bank was written
    ("port_used", "i8", BANKS),  # writes in that cycle
    ("in_flight", "i2", WARPS),  # instructions issued and not retired
)


@compiled(inline=True)
def retire(sc, kernel, entry, cycle, now):
    """An instruction is done in `cycle`; its write counter drops so that issue sees it next."""
    warp = int(entry.warp)
    if cycle <= now:
        sc.writeback.in_flight[u(warp)] -= 1
    else:
        wheel.post(sc.wheel, now, cycle, wheel.DONE, warp, 0, 0, 0)
    inst = instruction_at(kernel.program, entry.pc)
    visible = max(cycle, now) + 1
    if inst.copies:
        async_copy.read(sc.copies, warp, entry.access)
    if inst.write_counter >= 0:
        counter = int(inst.write_counter)
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, counter, -1, entry.pc)
    if inst.read_with_result and inst.read_counter >= 0:
        counter = int(inst.read_counter)
        wheel.post(sc.wheel, now, visible, wheel.COUNTER, warp, counter, -1, entry.pc)
    events.written(kernel, entry.event, cycle)


@compiled
def _port_free(results, bank, cycle, n_ports):
    at = results.port_at[u(bank)]
    return at < cycle or (at == cycle and results.port_used[u(bank)] < n_ports)


@compiled
def _ports_free(results, first, count, cycle, n_ports):
    """Whether the registers from `first` on, at most one a bank, can be written in `cycle`."""
    for register in range(first, first + count):
        if not _port_free(results, register & 1, cycle, n_ports):
            return False
    return True


@compiled
def _take_ports(results, first, count, cycle):
    """Write the registers from `first` on; each pair after the first one takes another cycle."""
    for k in range(count):
        bank = (first + k) & 1
        at = cycle + k // BANKS
        if results.port_at[u(bank)] < at:
            results.port_at[u(bank)] = at
            results.port_used[u(bank)] = 0
        results.port_used[u(bank)] += 1
    return cycle + max(count - 1, 0) // BANKS


@compiled
def full(sc, machine):
    """Warps whose next result finds no place, if places are taken at issue."""
    results = sc.writeback
    if not machine.sm.result_queue.reserve:
        return 0
    warps = 0
    for queue_number in range(1, RESULT_QUEUES):
        if results.reserved[u(queue_number)] >= machine.sm.result_queue.entries:
            warps |= int(results.heads[u(queue_number)])
    return warps


@compiled
def _give_place_back(sc, inst, cycle, now):
    """A result's place in its queue can be used in the cycle of the write."""
    sc.writeback.written_at[u(inst.result)] = cycle
    if cycle <= now:
        sc.writeback.reserved[u(inst.result)] -= 1
    else:
        wheel.post(sc.wheel, now, cycle, wheel.PLACE, 0, inst.result, 0, 0)


@compiled(inline=True)
def _write_fixed(sc, kernel, machine, n_ports, now):
    """Every fixed-latency result that arrived before `now` finds its write cycle, oldest first."""
    results = sc.writeback
    while queue.length(results.fixed) and queue.front(results.fixed).at < now:
        entry = queue.front(results.fixed)
        inst = instruction_at(kernel.program, entry.pc)
        first, count = int(inst.dest), int(inst.dest_count)
        cycle = entry.at + 1
        if machine.sm.result_queue.reserve:
            cycle = max(cycle, results.written_at[u(inst.result)] + 1)
        while not _ports_free(results, first, min(count, BANKS), cycle, n_ports):
            cycle += 1
        cycle = _take_ports(results, first, count, cycle)
        if machine.sm.result_queue.reserve and inst.result:
            _give_place_back(sc, inst, cycle, now)
        retire(sc, kernel, entry, cycle, now)
        if inst.write_counter >= 0:
            results.awaited -= 1
        queue.pop(results.fixed)


@compiled(inline=True)
def _write_special(sc, kernel, n_ports, now):
    """The oldest special-function result is written, or tries again in the next cycle."""
    results = sc.writeback
    while queue.length(results.special) and queue.front(results.special).at <= now:
        entry = queue.front(results.special)
        inst = instruction_at(kernel.program, entry.pc)
        if not _ports_free(results, int(inst.dest), int(inst.dest_count), now, n_ports):
            entry.at = now + 1
            return
        _take_ports(results, int(inst.dest), int(inst.dest_count), now)
        retire(sc, kernel, entry, now, now)
        queue.pop(results.special)


@compiled(inline=True)
def _write_load(sc, kernel, n_ports, now):
    """The latch of results from the SM writes the registers of one beat when the beat ends."""
    results = sc.writeback
    while queue.length(results.load):
        entry = queue.front(results.load)
        inst = instruction_at(kernel.program, entry.pc)
        if results.beat_at == 0:
            if max(entry.at, results.latch_free) > now:
                return
            results.beat_at = max(entry.at, results.latch_free) + inst.beat - 1
        if results.beat_at > now:
            return
        left = int(inst.dest_count) - int(results.registers_done)
        first = int(inst.dest) + int(results.registers_done)
        count = min(left, int(inst.per_beat))
        if not _ports_free(results, first, count, now, n_ports):
            results.beat_at = now + 1
            return
        _take_ports(results, first, count, now)
        if left > count:
            results.registers_done += count
            results.beat_at = now + inst.beat
            return
        retire(sc, kernel, entry, now, now)
        queue.pop(results.load)
        results.doubles -= inst.route == DOUBLE
        results.registers_done = 0
        results.beat_at = 0
        results.latch_free = now + 1


@compiled
def push_fixed(sc, inst, at, warp, pc, event):
    """A fixed-latency result will arrive in the result queue in cycle `at`."""
    queue.push(sc.writeback.fixed, at, warp, pc, 0, event)
    if inst.write_counter >= 0:
        sc.writeback.awaited += 1


@compiled
def step(sc, kernel, machine, now):
    """Write what is due, in order of precedence."""
    n_ports = machine.sm.register_file.write_ports
    _write_fixed(sc, kernel, machine, n_ports, now)
    _write_special(sc, kernel, n_ports, now)
    _write_load(sc, kernel, n_ports, now)


@compiled
def load_at(results, kernel):
    """The cycle in which the beat at hand ends; there is at least one result from the SM."""
    if results.beat_at:
        return results.beat_at
    entry = queue.front(results.load)
    beat = instruction_at(kernel.program, entry.pc).beat
    return max(entry.at, results.latch_free) + beat - 1


@compiled
def next_at(sc, kernel, machine, emptying):
    """The next cycle with work; fixed-latency results count only if somebody waits for one."""
    results = sc.writeback
    at = NEVER
    awaited = emptying or results.awaited or machine.sm.result_queue.reserve
    if queue.length(results.fixed) and awaited:
        at = queue.front(results.fixed).at + 1
    if queue.length(results.special):
        at = min(at, queue.front(results.special).at)
    if queue.length(results.load):
        at = min(at, load_at(results, kernel))
    return at
