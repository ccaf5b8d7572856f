"""The result queue in closed form against one that is stepped cycle by cycle (sm-core 6.2)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim.compiled import address, allocate, entry, pointer_to
from warpwise.sim.core import instruction, subcore, writeback
from warpwise.sim.events import EVENT
from warpwise.sim.machine.load import load
from warpwise.sim.machine.record import MACHINE, to_record

kernel_at = pointer_to(instruction.KERNEL)
subcore_at = pointer_to(subcore.SUBCORE)
machine_at = pointer_to(MACHINE)


@entry
def write_all(subcore_address, kernel_address, machine_address, arrivals, visits):
    """Push result k, of instruction k, for cycle arrivals[k]; then visit in some cycles."""
    sc, kernel = subcore_at(subcore_address, 0), kernel_at(kernel_address, 0)
    machine = machine_at(machine_address, 0)
    for k in range(len(arrivals)):
        inst = instruction.instruction_at(kernel.program, k)
        writeback.push_fixed(sc, inst, arrivals[k], 0, k, k)
    for k in range(len(visits)):
        writeback.step(sc, kernel, machine, visits[k])


def closed_form(results, ports, visits):
    """Cycle in which each result is written, by the engine."""
    program = allocate(instruction.INSTRUCTION, len(results))
    for row, (_, first, count) in zip(program, results, strict=True):
        row.dest, row.dest_count, row.write_counter = first, count, -1
    events = allocate(EVENT, len(results))
    kernel = allocate(instruction.KERNEL, 1)
    kernel[0].program, kernel[0].events = address(program), address(events)
    sc = allocate(subcore.SUBCORE, 1)
    machine = to_record(load(overrides={"sm.register_file.write_ports": ports}).gpu)
    arrivals = np.array([at for at, _, _ in results], np.int64)
    write_all(address(sc), address(kernel), address(machine), arrivals, np.array(visits, np.int64))
    return events["writeback"].tolist()


def stepped(results, ports):
    """The same, one cycle after another: the oldest results take the ports that are free.

    A bank writes in order, so a result waits behind older ones that wait for its bank.
    """
    written = [0] * len(results)
    used = {}  # (bank, cycle) -> writes
    for k in sorted(range(len(results)), key=lambda k: results[k][0]):
        at, first, count = results[k]
        banks = {(first + n) % 2 for n in range(min(count, 2))}
        cycle = at + 1
        while any(
            used.get((bank, cycle), 0) == ports or any(b == bank and c > cycle for b, c in used)
            for bank in banks
        ):
            cycle += 1
        for n in range(count):
            slot = (first + n) % 2, cycle + n // 2
            used[slot] = used.get(slot, 0) + 1
        written[k] = cycle + max(count - 1, 0) // 2
    return written


results = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 9), st.sampled_from([0, 1, 1, 1, 2, 4])),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150)
@given(results, st.integers(1, 2), st.lists(st.integers(2, 90), unique=True, max_size=20))
def test_visits_at_any_time_write_in_the_same_cycles(results, ports, visits):
    """It does not matter when the engine looks: ports are claimed in order of arrival."""
    visits = [*sorted(visits), 120]
    assert closed_form(results, ports, visits) == stepped(results, ports)


def test_two_results_of_one_bank():
    """The second of two results that arrive together is written one cycle later."""
    assert closed_form([(5, 2, 1), (5, 4, 1), (5, 3, 1)], 1, [50]) == [6, 7, 6]
