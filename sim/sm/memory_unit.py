"""The memory unit that the sub-cores of an SM share: arbiter, pending requests, data stage.

One instruction is taken every second cycle, round robin over the sub-cores (sm-core 6.4). What it
costs from there, `memory.md` 1.7, 2 and 3 say; here behind the L1 only unloaded latencies.
"""

from __future__ import annotations

from .. import stalls
from ..compiled import compiled, lowest, record, u
from ..core import async_copy, memory_queue, queue, writeback
from ..core.instruction import (
    ATOMIC,
    CONSTANT,
    L1_LOAD,
    L1_STORE,
    L2_READ,
    L2_WRITE,
    NOWHERE,
    OLDEST,
    REDUCTION,
    SHARED,
    TEXTURE,
    access_at,
    instruction_at,
    line_at,
)
from ..core.limits import NEVER, SUBCORES, WARPS
from . import l0_vl, l1_data, outbox

LOADS = 128  # pending request table
FIXED_ORDER = 1  # choice of `sm.memory_unit.arbiter`

PENDING = record(
    ("subcore", "i2"),
    ("entry", queue.ENTRY),  # `at`: first beat if nothing is missing
    ("missing", "i2"),  # requests that are not answered
)

State = record(
    ("waiting_at", "i8", SUBCORES),  # when each sub-core's oldest instruction may be granted
    ("free_at", "i8"),  # cycle from which the arbiter may grant
    ("last", "i2"),  # sub-core served last
    ("stage_free", "i8"),  # cycle from which the L1 and shared-memory data stage is free
    ("texture_free", "i8"),  # cycle from which the texture unit is free
    ("store_head", "i8"),  # stores that are not retired, oldest first
    ("store_tail", "i8"),
    ("store_done", "i8", LOADS),  # cycle in which each is
    ("pending", PENDING, LOADS),
    ("free_loads", "i8", 4),  # one bit a table entry, 32 a word
    ("n_pending", "i8"),
    ("wavefronts", "i8"),
)


@compiled
def _take_load(unit):
    """Number of a free entry of the pending request table."""
    unit.n_pending += 1
    for word in range(4):
        if unit.free_loads[u(word)]:
            bit = lowest(unit.free_loads[u(word)])
            unit.free_loads[u(word)] &= ~(1 << bit)
            return word * 32 + bit
    return -1


@compiled
def _give_load_back(unit, load):
    unit.n_pending -= 1
    unit.free_loads[u(load // 32)] |= 1 << (load % 32)


@compiled
def _deliver(sc, kernel, entry):
    """A result's first beat is due at the sub-core in cycle `entry.at`."""
    queue.push(sc.writeback.load, entry.at, entry.warp, entry.pc, entry.access, entry.event)
    sc.next_at = min(sc.next_at, writeback.load_at(sc.writeback, kernel))


@compiled
def _stores(unit, now):
    """Stores that are in front of the data stage or in it."""
    while unit.store_head < unit.store_tail and unit.store_done[u(unit.store_head % LOADS)] < now:
        unit.store_head += 1
    return unit.store_tail - unit.store_head


@compiled
def _table_full(sm, machine, now):
    """Whether the pending request table has no entry: loads keep theirs until write-back."""
    entries = sm.memory.n_pending + _stores(sm.memory, now)
    for s in range(SUBCORES):
        results = sm.subcores[u(s)].writeback
        entries += queue.length(results.load) - results.doubles
    return entries >= machine.sm.memory_unit.pending_requests


@compiled
def _room(sm, machine, access):
    """Whether the requests of all lines of an access could be sent."""
    lines = int(access.lines)
    busy = l1_data.requests_in_use(sm.l1d)
    return busy + lines <= machine.sm.l1d.mshrs and outbox.room(sm, lines)


@compiled
def _enter_stage(unit, machine, inst, wavefronts, begin):
    """Use the data stage from `begin` on; returns how much later than unloaded it is done.

    The paper's latencies of 64- and 128-bit accesses contain their two or four wavefronts.
    """
    if wavefronts == 0:
        return 0
    cycles = wavefronts * machine.sm.l1d.stage_cycles
    start = max(unit.stage_free, begin)
    unit.stage_free = start + cycles
    unit.wavefronts += wavefronts
    extra = max(wavefronts - inst.wavefronts, 0)
    return start - begin + extra * machine.sm.l1d.stage_cycles


@compiled
def _enter_texture_unit(unit, machine, begin):
    """Use the texture unit from `begin` on; returns how much later than unloaded it is done."""
    start = max(unit.texture_free, begin)
    unit.texture_free = start + machine.sm.memory_unit.texture_interval
    return start - begin


@compiled
def _request(sm, inst, line, sectors, kind, turns, load, delay, now):
    number = l1_data.new_request(sm.l1d, line, sectors)
    l1_data.wait_for(sm.l1d, number, load)
    request = outbox.push(sm, now, delay, kind, line, sectors, number)
    request.prefetch = inst.prefetch
    request.turns = turns
    return number


@compiled
def _way_of(l1, machine, ways, inst, line):
    """The way of a line that a load finds or allocates, where its instruction says; -1: none."""
    way = l1_data.find(l1, line)
    new = way < 0
    if new and inst.place != NOWHERE:
        way = l1_data.allocate(l1, machine, ways, line)
    if way >= 0 and inst.place != OLDEST:
        l1_data.touch(l1, machine, way)
    elif way >= 0 and new:
        l1_data.make_oldest(l1, machine, way)
    return way


@compiled(inline=True)
def _load_line(sm, kernel, machine, inst, line, sectors, load, delay, now):
    """Look a line up; returns how many more requests the load waits for."""
    l1 = sm.l1d
    l1.sector_accesses += 1
    way = _way_of(l1, machine, kernel.l1_ways, inst, line)
    if way < 0:
        _request(sm, inst, line, sectors, outbox.READ, 0, load, delay, now)
        return 1
    absent = sectors & ~int(l1.valid[u(way)])
    if absent == 0:
        l1.sector_hits += 1
        return 0
    waits = 0
    coming = absent & int(l1.coming[u(way)])
    rest = coming
    while rest:
        sector = lowest(rest)
        rest &= rest - 1
        waits += l1_data.wait_for(l1, int(l1.bringer[u(way), u(sector)]), load)
    absent &= ~coming
    if absent:
        number = _request(sm, inst, line, absent, outbox.READ, 0, load, delay, now)
        l1_data.expect(l1, way, absent, number)
        waits += 1
    return waits


@compiled
def _wait_or_deliver(sm, kernel, s, entry, load, missing):
    """A load whose data is here goes on; another one waits in the pending request table."""
    if missing == 0:
        _deliver(sm.subcores[u(s)], kernel, entry)
        _give_load_back(sm.memory, load)
        return
    pending = sm.memory.pending[u(load)]
    pending.subcore = s
    pending.missing = missing
    pending.entry = entry


@compiled(inline=True)
def _load(sm, kernel, machine, s, entry, inst, access, delay, now):
    """A read, whose first beat is due in cycle `entry.at` if nothing is missing."""
    load = _take_load(sm.memory)
    missing = 0
    for k in range(access.lines):
        line = line_at(kernel.lines, access.first + k)
        if inst.path == L1_LOAD and kernel.warm_l1:
            continue
        if inst.path == L1_LOAD:
            missing += _load_line(
                sm, kernel, machine, inst, line.line, int(line.sectors), load, delay, now
            )
        else:
            kind = outbox.READ if inst.path == L2_READ else outbox.ATOMIC
            if kind == outbox.ATOMIC:
                l1_data.drop_sectors(sm.l1d, line.line, int(line.sectors))
            turns = int(line.turns)
            _request(sm, inst, line.line, int(line.sectors), kind, turns, load, delay, now)
            missing += 1
    _wait_or_deliver(sm, kernel, s, entry, load, missing)


@compiled
def _sender(sm, kernel, s, warp, lines):
    """What a store's answer is known by: 0 if nobody waits for it, else the warp, by its serial."""
    if not kernel.acknowledges:
        return 0
    warps = sm.subcores[u(s)].warps
    warps.unacknowledged[u(warp)] += lines
    return (warps.serial[u(warp)] * SUBCORES + s) * WARPS + warp


@compiled
def acknowledge(sm, sender, now):
    """The L2 has taken a line of a store; the warp may have left its place since."""
    warp, s = sender % WARPS, sender // WARPS % SUBCORES
    sc = sm.subcores[u(s)]
    if sc.warps.serial[u(warp)] == sender // (WARPS * SUBCORES):
        sc.warps.unacknowledged[u(warp)] -= 1
        sc.next_at = min(sc.next_at, now)


@compiled
def _keep_store(l1, kernel, machine, line):
    """Leave a store's data in the L1D; sectors of which it writes a part are still missing."""
    way = l1_data.find(l1, line.line)
    if way < 0:
        way = l1_data.allocate(l1, machine, kernel.l1_ways, line.line)
    if way >= 0:
        l1_data.fill(l1, way, int(line.whole))


@compiled(inline=True)
def _store(sm, kernel, machine, s, warp, inst, access, delay, now):
    """A write goes through to the L2."""
    kind = outbox.REDUCTION if inst.path == REDUCTION else outbox.WRITE
    sender = _sender(sm, kernel, s, warp, int(access.lines))
    for k in range(access.lines):
        line = line_at(kernel.lines, access.first + k)
        sectors = int(line.sectors)
        if machine.sm.l1d.store_allocates and inst.path == L1_STORE:
            _keep_store(sm.l1d, kernel, machine, line)
        else:
            l1_data.drop_sectors(sm.l1d, line.line, sectors)
        request = outbox.push(sm, now, delay, kind, line.line, sectors, sender)
        request.turns = line.turns
        request.whole = line.whole
        request.bytes = line.bytes


@compiled
def _complete(sm, kernel, load):
    """One thing less that a load waits for."""
    pending = sm.memory.pending[u(load)]
    pending.missing -= 1
    if pending.missing == 0:
        _deliver(sm.subcores[u(pending.subcore)], kernel, pending.entry)
        _give_load_back(sm.memory, load)


@compiled(inline=True)
def refill(sm, kernel, number, now):
    """The L2 has answered request `number`: its waiting loads may be complete."""
    l1 = sm.l1d
    l1_data.complete(l1, number)
    for word in range(l1_data.WORDS):
        waiting = l1.request_waiting[u(number), u(word)]
        while waiting:
            load = word * l1_data.WORD + lowest(waiting)
            waiting &= waiting - 1
            entry = sm.memory.pending[u(load)].entry
            behind = instruction_at(kernel.program, entry.pc).behind_data
            entry.at = max(entry.at, now + behind)
            _complete(sm, kernel, load)


@compiled
def _write_copy(sm, kernel, machine, sc, now):
    """An LDGSTS that has read global memory goes through the data stage to shared memory."""
    unit, visible = sm.memory, now + 1
    wavefronts = int(access_at(kernel.accesses, sc.copies.read_access).copied)
    if machine.sm.async_copy.uses_data_stage and wavefronts:
        unit.wavefronts += wavefronts
        unit.stage_free = max(unit.stage_free, visible) + wavefronts * machine.sm.l1d.stage_cycles
        visible = unit.stage_free
    async_copy.written(sc, visible, now)


@compiled
def _note_waiting(sm, s):
    sm.memory.waiting_at[u(s)] = memory_queue.grant_at(sm.subcores[u(s)].memory_queue)


@compiled
def look(sm, kernel, machine, s, now):
    """Note what sub-core `s`, which has been visited, has for the arbiter and the data stage."""
    sc = sm.subcores[u(s)]
    if sc.copies.reader != async_copy.NONE:
        _write_copy(sm, kernel, machine, sc, now)
    _note_waiting(sm, s)


@compiled
def _in_shared_memory(inst, access):
    """Whether a generic access went there: it passes the data stage and touches no line."""
    return inst.path != SHARED and access.wavefronts > 0 and access.lines == 0


@compiled
def _missing_constants(sm, kernel, machine, inst, access, load, begin):
    """How many lines of the L0 VL a load has to wait for."""
    missing = 0
    size, sector_bytes = machine.sm.l0_vl.line_bytes, machine.sm.l1d.sector_bytes
    sectors = machine.sm.l1d.line_bytes // sector_bytes
    for k in range(access.lines):
        line = line_at(kernel.lines, access.first + k)
        last = -1
        for sector in range(sectors):
            if line.sectors >> sector & 1:
                byte = (line.line * sectors + sector) * sector_bytes
                number = (inst.bank + byte) // size
                if number != last and not l0_vl.present(sm.vl, machine, number):
                    l0_vl.wait_for(sm.vl, number, load, begin)
                    missing += 1
                last = number
    return missing


@compiled
def _load_constant(sm, kernel, machine, s, entry, inst, access, begin, now):
    """An LDC, looked up in cycle `begin`; its first beat is due in `entry.at` if all is here."""
    load = _take_load(sm.memory)
    missing = 0
    if not kernel.warm_constants:
        missing = _missing_constants(sm, kernel, machine, inst, access, load, begin)
    _wait_or_deliver(sm, kernel, s, entry, load, missing)


@compiled(inline=True)
def _grant(sm, kernel, machine, s, now):
    """Take a sub-core's oldest memory instruction."""
    sc = sm.subcores[u(s)]
    if memory_queue.full(sc.memory_queue, machine):  # no longer
        stalls.catch_up(sc, machine, now)
        sc.next_at = now
    entry = memory_queue.take(sc.memory_queue, now)
    _note_waiting(sm, s)
    inst = instruction_at(kernel.program, entry.pc)
    unit = sm.memory
    unit.free_at = now + machine.sm.memory_unit.grant_interval
    unit.last = s
    begin = now + machine.sm.data_path.entry
    late = 0  # cycles later than the unloaded latency
    entry.at = now + inst.first_beat
    if inst.invalidates:
        l1_data.clear(sm.l1d)
    if inst.accesses:
        access = access_at(kernel.accesses, entry.access)
        late = _enter_stage(unit, machine, inst, int(access.wavefronts), begin)
        entry.at += late
        if _in_shared_memory(inst, access):
            entry.at += machine.sm.data_path.shared - machine.sm.data_path.l1
        delay = machine.sm.data_path.entry + late
        if inst.path == L1_LOAD or inst.path == L1_STORE:
            delay += machine.sm.l1d.miss_latency
        if inst.path == L1_LOAD or inst.path == L2_READ or inst.path == ATOMIC:
            _load(sm, kernel, machine, s, entry, inst, access, delay, now)
            return
        if inst.path == L1_STORE or inst.path == L2_WRITE or inst.path == REDUCTION:
            _store(sm, kernel, machine, s, int(entry.warp), inst, access, delay, now)
        elif inst.path == CONSTANT:
            _load_constant(sm, kernel, machine, s, entry, inst, access, begin, now)
            return
    elif inst.path == TEXTURE:
        entry.at += _enter_texture_unit(unit, machine, begin)
    if inst.stores:
        unit.store_done[u(unit.store_tail % LOADS)] = begin + late
        unit.store_tail += 1
        writeback.retire(sc, kernel, entry, begin + late, now)
        sc.next_at = min(sc.next_at, max(begin + late, now))
    else:
        _deliver(sc, kernel, entry)


@compiled
def _serve_constants(sm, kernel, machine, now):
    """Lines of the L0 VL that are here complete their loads, as much later as they missed."""
    k = l0_vl.arrived(sm.vl, machine, now)
    while k >= 0:
        for word in range(l0_vl.WORDS):
            waiting = int(sm.vl.miss_loads[u(k), u(word)])
            while waiting:
                load = word * l0_vl.WORD + lowest(waiting)
                waiting &= waiting - 1
                entry = sm.memory.pending[u(load)].entry
                inst = instruction_at(kernel.program, entry.pc)
                due = now + inst.first_beat - machine.sm.data_path.entry
                entry.at = max(entry.at, due)
                _complete(sm, kernel, load)
        l0_vl.free(sm.vl, k)
        k = l0_vl.arrived(sm.vl, machine, now)


@compiled(inline=True)
def _may_grant(sm, kernel, machine, s, now):
    if sm.memory.waiting_at[u(s)] > now or _table_full(sm, machine, now):
        return False
    entry = memory_queue.oldest(sm.subcores[u(s)].memory_queue)
    inst = instruction_at(kernel.program, entry.pc)
    if not inst.accesses:
        return True
    if inst.path == CONSTANT:
        access = access_at(kernel.accesses, entry.access)
        per_line = machine.sm.l1d.line_bytes // machine.sm.l0_vl.line_bytes
        return l0_vl.room(sm.vl, per_line * int(access.lines))
    return _room(sm, machine, access_at(kernel.accesses, entry.access))


@compiled
def step(sm, kernel, machine, now):
    """Grant at most one instruction."""
    unit = sm.memory
    _serve_constants(sm, kernel, machine, now)
    if now < unit.free_at:
        return
    first = 0 if machine.sm.memory_unit.arbiter == FIXED_ORDER else int(unit.last) + 1
    for k in range(SUBCORES):
        s = (first + k) % SUBCORES
        if _may_grant(sm, kernel, machine, s, now):
            _grant(sm, kernel, machine, s, now)
            return


@compiled
def next_at(sm, now):
    """The next cycle in which the arbiter may grant."""
    at = NEVER
    for s in range(SUBCORES):
        at = min(at, sm.memory.waiting_at[u(s)])
    if at == NEVER:
        return at
    return max(at, sm.memory.free_at, now + 1)
