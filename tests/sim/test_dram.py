"""DRAM channels: rows, rates and batches of writes (memory 6); an RTX A6000 at 1800 MHz."""

import numpy as np
import pytest

from warpwise.sim.compiled import allocate, entry, record
from warpwise.sim.gpu import dram
from warpwise.sim.machine.load import load
from warpwise.sim.machine.record import to_record

MEMORY = record(("memory", dram.STATE))
LATENCY = 239
PEAK = 768 / 1.8 / 24  # bytes per core cycle of a channel
ROW = 16 // 2  # line numbers of a slice that share a row: two slices a channel


@entry
def read_all(array, machine_array, groups, sectors, at, added):
    """Read lines of slice 0 in order; notes the cycles that each takes longer than a hit."""
    memory, machine = array[0].memory, machine_array[0]
    dram.begin(memory, machine)
    for k in range(len(groups)):
        added[k] = dram.read(memory, machine, 0, groups[k], sectors, at[k])


@entry
def write_all(array, machine_array, lines, read, room):
    """Write lines at once, behind a read or not; bus time, and in `room` when each had room."""
    memory, machine = array[0].memory, machine_array[0]
    dram.begin(memory, machine)
    memory.channel[0].reads = read
    for k in range(lines):
        room[k] = dram.write(memory, machine, 0, 15, 0)
    return memory.channel[0].bus_free / dram.FRACTION


def writes(lines, read=False):
    room = np.zeros(lines, np.int64)
    return write_all(allocate(MEMORY, 1), to_record(load().gpu), lines, read, room), room


def reads(groups, sectors=1, at=None):
    groups = np.asarray(groups, np.int64)
    added = np.zeros(len(groups), np.int64)
    at = np.zeros(len(groups), np.int64) if at is None else np.asarray(at, np.int64)
    read_all(allocate(MEMORY, 1), to_record(load().gpu), groups, sectors, at, added)
    return added


def rate(groups, sectors):
    """Share of the peak when all is asked for at once."""
    cycles = reads(groups, sectors).max() - LATENCY
    return len(groups) * sectors.bit_count() * 32 / cycles / PEAK


def test_a_lone_read_takes_the_unloaded_latency():
    assert list(reads([0, 1000 * ROW, 5 * ROW], at=[0, 1000, 2000])) == [LATENCY] * 3


def test_a_request_for_a_busy_row_needs_no_activation():
    """26 of the 27 cycles from activation to read are spared; it waits a burst for the bus."""
    first, second = reads([0, 1], at=[0, 28])
    assert (first, second) == (LATENCY, LATENCY - 26)


def test_two_rows_of_a_bank_are_a_row_cycle_apart():
    """45 ns are 81 cycles. Rows 0 and 17 share bank 0: 17 xor 1 is 16."""
    assert list(reads([0, 17 * ROW])) == [LATENCY, LATENCY + 81]


def test_streams_lose_only_what_refresh_takes():
    assert rate(np.arange(4096), 15) == pytest.approx(0.976, abs=0.005)


def test_random_sectors_are_limited_by_activations():
    """Four rows in 16 ns, 32 bytes each: a quarter of the peak."""
    rows = np.random.default_rng(0).permutation(1 << 20)[:4096]
    assert rate(rows * ROW, 1) == pytest.approx(0.25, abs=0.02)


def test_writes_wait_for_a_batch():
    """32 lines: 128 bursts of 1.8 cycles, refresh, and 20.8 ns for the two turnarounds."""
    assert writes(31, read=True)[0] == 0
    assert writes(32, read=True)[0] == pytest.approx(128 * 1.8 / 0.976 + 20.8 * 1.8, abs=1)


def test_writes_alone_need_no_turnaround():
    assert writes(64)[0] == pytest.approx(256 * 1.8 / 0.976, abs=1)


def test_a_batch_fills_while_the_one_before_is_written():
    """The first batch begins at once, the second one when the first is through."""
    _, room = writes(97)
    batch = 128 * 1.8 / 0.976
    assert list(room[[0, 31, 32, 63]]) == [0] * 4
    assert room[[64, 95, 96]] == pytest.approx([batch, batch, 2 * batch], abs=1)
