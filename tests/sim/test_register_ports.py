"""Register-file read ports and the register-file cache (sm-core 4.2, 4.3, 8.1, 8.4)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warpwise.sim.compiled import allocate, entry
from warpwise.sim.core import register_file

NO_CACHE = {"sm.register_file.cache": False}


@pytest.mark.parametrize(
    ("rx", "ry", "allocated", "last_clock"),
    [
        # Allocate of A at t + 4, of B; issue of the second clock read. B's window holds three
        # slots a bank; A has taken bank 0 in its own three, of which two lie in B's first window.
        ("R19", "R21", (4, 5), 5),  # B needs one of bank 0 and two of bank 1: fits at once
        ("R18", "R21", (4, 6), 6),  # two of bank 0: a cycle late
        ("R18", "R20", (4, 7), 7),  # three of bank 0: two cycles late
    ],
)
def test_listing_1_cycle_by_cycle(simulate, rx, ry, allocated, last_clock):
    code = f"""CS2R.32 R2, SR_CLOCKLO ;
NOP ;
FFMA R11, R10, R12, R14 ;
FFMA R13, R16, {rx}, {ry} ;
NOP ;
CS2R.32 R4, SR_CLOCKLO ;"""
    run = simulate(code)
    first = run.issues()[0]
    assert [cycle - first for cycle in run.column("allocate", "FFMA")] == list(allocated)
    assert [cycle - first for cycle in run.issues("CS2R")] == [0, last_clock]


def test_listing_1_without_the_last_nop(simulate):
    """The clock read issues before the held FFMA can stop it."""
    code = """CS2R.32 R2, SR_CLOCKLO ;
NOP ;
FFMA R11, R10, R12, R14 ;
FFMA R13, R16, R18, R20 ;
CS2R.32 R4, SR_CLOCKLO ;"""
    run = simulate(code)
    clocks = run.issues("CS2R")
    assert clocks[1] - clocks[0] == 4


@pytest.mark.parametrize(
    ("instruction", "reads"),
    [
        ("FADD R1, R2, R5", 1),  # one read a bank
        ("FMUL R1, R2, R4", 2),
        ("FFMA R1, R2, R4, R7", 2),
        ("FFMA R1, R2, R4, R6", 3),
        ("FFMA R1, R2, R2, R2", 1),  # the same register counts once
        ("FFMA R1, R2, RZ, R4", 2),  # RZ is not read
    ],
)
@pytest.mark.parametrize("ports", [1, 2, 3])
def test_rate_is_set_by_the_busier_bank(simulate, instruction, reads, ports):
    """`reads` of one bank per instruction against `ports` a cycle; FP32 can issue every cycle."""
    run = simulate(f"@repeat 60 {instruction} ;", changes={"sm.register_file.read_ports": ports})
    cycles = run.issues(instruction.split()[0])
    rate = max(reads / ports, 1)
    assert cycles[50] - cycles[20] == pytest.approx(30 * rate, abs=1)


def test_reuse_saves_a_read_each_time(simulate):
    """Three reads of bank 0 become two once R2 is kept; without the cache they stay three."""
    code = "@repeat 60 FFMA R1, R2.reuse, R4, R6 ;"
    kept, lost = simulate(code), simulate(code, changes=NO_CACHE)
    spans = [run.issues("FFMA")[50] - run.issues("FFMA")[20] for run in (kept, lost)]
    assert spans == [60, 90]


@pytest.mark.parametrize(
    ("second", "third", "hits"),
    [  # Listing 4 of the paper; the first instruction keeps R2 in slot 0
        ("FFMA R5, R2, R7, R8", "FFMA R10, R2, R12, R14", False),  # the hit has used it up
        ("FFMA R5, R2.reuse, R7, R8", "FFMA R10, R2, R12, R14", True),  # kept once more
        ("FFMA R5, R7, R2, R8", "FFMA R10, R2, R12, R14", True),  # slot 0 of bank 1 is cleared
        ("FFMA R5, R4, R7, R8", "FFMA R10, R2, R12, R14", False),  # displaced
    ],
)
def test_listing_4(simulate, second, third, hits):
    """A third instruction that hits needs two slots of bank 0, else three: the fourth shows it.

    The window of the third is empty (stall 9), so a fourth with three reads of bank 0 finds two
    slots free if the third took one of three cycles less.
    """
    code = f"""[B------:R-:W-:-:S09] IADD3 R1, R2.reuse, R3, RZ ;
[B------:R-:W-:-:S09] {second} ;
{third} ;
FFMA R11, R16, R18, R20 ;"""
    run = simulate(code)
    third_at, fourth_at = run.column("allocate", "FFMA")[-2:]
    assert fourth_at - third_at == (2 if hits else 3)


def test_variable_latency_reads_wait_for_booked_ports(simulate):
    """An FFMA with three reads of bank 0 at t+2 has booked t+5, t+6 and t+7; the load reads in t+8.

    Unhindered it would read in t + 6 (figure 2 of the paper), with its result at t + 32.
    """
    load, mov = "[B------:R-:W0:-:S02] LDG.E R10, [R2.64]", "[B0-----:R-:W-:-:S01] MOV R1, R10"
    results = []
    for between in ("FFMA R5, R4, R6, R8", "FADD R5, R4, R7"):
        run = simulate(f"{load} ;\n{between} ;\n{mov} ;")
        results.append(run.issues("MOV")[0] - run.issues("LDG")[0])
    assert results == [34, 32]


@pytest.mark.parametrize(("operands", "held"), [("R16, R18, R20", 2), ("R17, R19, R21", 0)])
def test_held_instruction_keeps_its_pipe_taken(simulate, operands, held):
    """FFMAs at t and t + 1; the second is on the integer pipe, free again at t + 3.

    Three more reads of bank 0 do not fit in t + 3 and t + 4: it waits in Allocate, and the pipe is
    free two cycles later. An IADD3 behind it shows when.
    """
    code = f"FFMA R1, R2, R4, R6 ;\nFFMA R3, {operands} ;\nIADD3 R5, R7, RZ, RZ ;"
    run = simulate(code)
    first = run.issues()[0]
    assert run.issues("FFMA")[1] == first + 1
    assert run.issues("IADD3") == [first + 3 + held]


@entry
def reserve_all(ports_array, requests, granted):
    """Try each request (now, reads0, reads1, window, ports); note which succeed."""
    ports = ports_array[0]
    for k in range(len(requests)):
        now, reads0, reads1, window, n_ports = requests[k]
        granted[k] = register_file.reserve_window(
            ports, reads0, reads1, now + 1, now + window, n_ports
        )


class PlainPorts:
    """Booked reads as a dictionary from (bank, cycle); earliest slots first."""

    def __init__(self, n_ports):
        self.n_ports = n_ports
        self.used = {}

    def reserve(self, reads, first, last):
        free = [
            [
                cycle
                for cycle in range(first, last + 1)
                for _ in range(self.n_ports - self.used.get((bank, cycle), 0))
            ]
            for bank in (0, 1)
        ]
        if any(len(free[bank]) < reads[bank] for bank in (0, 1)):
            return False
        for bank in (0, 1):
            for cycle in free[bank][: reads[bank]]:
                self.used[bank, cycle] = self.used.get((bank, cycle), 0) + 1
        return True


request = st.tuples(
    st.integers(0, 20), st.integers(0, 4), st.integers(0, 4), st.sampled_from([3, 6])
)


@settings(max_examples=200)
@given(st.lists(request, min_size=1, max_size=40), st.integers(1, 3))
def test_reservation_against_brute_force(requests, n_ports):
    """Random gaps between requests, from the same cycle to long after all windows."""
    now, rows, expected = 100, [], []
    plain = PlainPorts(n_ports)
    for gap, reads0, reads1, window in requests:
        now += gap // 4
        rows.append((now, reads0, reads1, window, n_ports))
        expected.append(plain.reserve((reads0, reads1), now + 1, now + window))
    granted = np.zeros(len(rows), np.int64)
    reserve_all(allocate(register_file.State, 1), np.array(rows), granted)
    assert granted.astype(bool).tolist() == expected
