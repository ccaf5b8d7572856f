"""The memory queue and address stage of a sub-core (sm-core 6.4).

An instruction takes a place at issue and gives it back at the grant. The address stage is in order:
an instruction holds it from the cycle in which it reads its registers, when their ports are free.
"""

from __future__ import annotations

from .. import events
from ..compiled import compiled, record, u
from . import register_file, wheel
from .instruction import instruction_at
from .limits import NEVER
from .queue import ENTRY

PLACES = 8  # power of two, the largest capacity

State = record(
    ("granted", "i8"),  # ring positions: oldest not granted,
    ("entered", "i8"),  # oldest that has not entered the address stage,
    ("issued", "i8"),  # next free place
    ("entry", ENTRY, PLACES),  # `at`: issue, later the cycle from which it may be granted
    ("stage_free", "i8"),  # cycle from which the address stage is free
    ("granted_at", "i8"),  # cycle of the last grant
)


@compiled
def full(memory_queue, machine):
    """Whether issue must wait for a grant."""
    return memory_queue.issued - memory_queue.granted >= machine.sm.local_unit.capacity


@compiled
def full_before(memory_queue, machine, now):
    """Whether there was no room before the grants of this cycle."""
    held = memory_queue.issued - memory_queue.granted + (memory_queue.granted_at == now)
    return held >= machine.sm.local_unit.capacity


@compiled
def push(memory_queue, now, warp, pc, access, event):
    """A memory instruction issues."""
    entry = memory_queue.entry[u(memory_queue.issued % PLACES)]
    entry.at = now
    entry.warp = warp
    entry.pc = pc
    entry.access = access
    entry.event = event
    memory_queue.issued += 1


@compiled
def _entry_at(memory_queue, machine):
    """When the next instruction may enter the address stage, ports permitting."""
    entry = memory_queue.entry[u(memory_queue.entered % PLACES)]
    return max(entry.at + machine.sm.local_unit.issue_to_read, memory_queue.stage_free)


@compiled(inline=True)
def step(sc, kernel, machine, now):
    """The oldest waiting instruction reads its registers and enters the address stage."""
    memory_queue = sc.memory_queue
    if memory_queue.entered == memory_queue.issued or _entry_at(memory_queue, machine) > now:
        return
    entry = memory_queue.entry[u(memory_queue.entered % PLACES)]
    inst = instruction_at(kernel.program, entry.pc)
    if not register_file.read_now(sc.ports, inst, now, machine.sm.register_file.read_ports):
        return
    memory_queue.entered += 1
    memory_queue.stage_free = now + inst.occupancy
    delayed_issue = now - machine.sm.local_unit.issue_to_read
    entry.at = delayed_issue + inst.grant
    released = delayed_issue + inst.read_latency
    if inst.read_counter >= 0 and not inst.read_with_result:
        warp, counter = int(entry.warp), int(inst.read_counter)
        wheel.post(sc.wheel, now, released, wheel.COUNTER, warp, counter, -1, entry.pc)
    events.read_done(kernel, entry.event, released - 1)


@compiled
def grant_at(memory_queue):
    """The first cycle in which the SM may take the oldest instruction."""
    if memory_queue.granted == memory_queue.entered:
        return NEVER
    return memory_queue.entry[u(memory_queue.granted % PLACES)].at


@compiled
def oldest(memory_queue):
    """The oldest instruction that is not granted."""
    return memory_queue.entry[u(memory_queue.granted % PLACES)]


@compiled
def take(memory_queue, now):
    """The SM takes the oldest instruction; its place is free."""
    entry = oldest(memory_queue)
    memory_queue.granted += 1
    memory_queue.granted_at = now
    return entry


@compiled
def next_at(memory_queue, machine, now):
    """The next cycle in which an instruction may enter the address stage."""
    if memory_queue.entered == memory_queue.issued:
        return NEVER
    return max(_entry_at(memory_queue, machine), now + 1)
