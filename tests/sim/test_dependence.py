"""Dependence counters, wait masks, DEPBAR (sm-core 1.8, 3.3, 6.3)."""

from dataclasses import replace

import pytest

from warpwise.sim import engine
from warpwise.sim.machine.load import load
from warpwise.traces.handwritten import parse

LOAD = "LDG.E R{}, [R2.64] ;"  # per-lane address, 32 bits, L1 hit: result after 32, sources 11


def after(run, opcode="NOP"):
    """Cycles from the first issue to those of `opcode`."""
    return [cycle - run.issues()[0] for cycle in run.issues(opcode)]


def test_wait_mask_holds_until_the_counter_is_zero(simulate):
    run = simulate(f"[B------:R-:W0:-:S02] {LOAD.format(4)}\n[B0-----:R-:W-:-:S01] NOP ;\nNOP ;")
    assert after(run) == [32, 33]


def test_read_counter_drops_when_the_sources_are_read(simulate):
    run = simulate(f"[B------:R5:W-:-:S02] {LOAD.format(4)}\n[B-----5:R-:W-:-:S01] NOP ;")
    assert after(run) == [11]


def test_other_counters_do_not_hold(simulate):
    run = simulate(f"[B------:R-:W0:-:S02] {LOAD.format(4)}\n[B-12345:R-:W-:-:S01] NOP ;")
    assert after(run) == [2]


@pytest.mark.parametrize(("stall", "issued"), [(1, 1), (2, 32)])
def test_increment_is_visible_two_cycles_after_issue(simulate, stall, issued):
    """A waiter in the very next cycle does not see the counter yet and slips through."""
    run = simulate(f"[B------:R-:W0:-:S{stall:02}] {LOAD.format(4)}\n[B0-----:R-:W-:-:S01] NOP ;")
    assert after(run) == [issued]


def test_one_counter_for_two_loads_waits_for_both(simulate):
    """The second load enters the address stage at 7 instead of 4: its result is at 1 + 32 + 3."""
    loads = f"[B------:R-:W0:-:S01] {LOAD.format(4)}\n[B------:R-:W0:-:S02] {LOAD.format(6)}"
    run = simulate(f"{loads}\n[B0-----:R-:W-:-:S01] NOP ;")
    assert after(run) == [36]


@pytest.mark.parametrize(("limit", "released"), [(0, 36), (1, 32), (2, 6)])
def test_depbar_gates_until_few_enough_are_outstanding(simulate, limit, released):
    """Loads at 0 and 1, DEPBAR at 2, in force from 6: at most `limit` of the results may be out."""
    loads = f"[B------:R-:W0:-:S01] {LOAD.format(4)}\n[B------:R-:W0:-:S01] {LOAD.format(6)}"
    run = simulate(f"{loads}\n[B------:R-:W-:-:S04] DEPBAR.LE SB0, {limit:#x} ;\nNOP ;")
    assert [after(run, "DEPBAR"), after(run)] == [[2], [released]]


def test_depbar_does_not_hold_what_issues_within_four_cycles(simulate):
    """Load at 0, DEPBAR at 2 with stall 1: NOPs at 3, 4 and 5 pass, the next is held."""
    load = f"[B------:R-:W0:-:S02] {LOAD.format(4)}"
    run = simulate(f"{load}\n[B------:R-:W-:-:S01] DEPBAR.LE SB0, 0x0 ;\n@repeat 5 NOP ;")
    assert after(run) == [3, 4, 5, 32, 33]


def test_depbar_waits_for_the_listed_counters_too(simulate):
    """Counters 1 and 2 must be zero although SB0 may be at two; SB2's load is done at 36."""
    loads = "\n".join(f"[B------:R-:W{k}:-:S01] {LOAD.format(4)}" for k in (0, 2))
    depbar = "[B------:R-:W-:-:S04] DEPBAR.LE SB0, 0x2, {} ;"
    listed = simulate(f"{loads}\n{depbar.format('{2,1}')}\nNOP ;")
    alone = simulate(f"{loads}\n{depbar.replace(', {}', '')}\nNOP ;")
    assert [after(listed), after(alone)] == [[36], [6]]


def test_fixed_latency_producers_use_counters_too(simulate):
    """Result written at t + 10, visible at 11; sources read at a + 3 = t + 5, visible at 6."""
    written = simulate("[B------:R-:W0:-:S02] FADD R1, R2, R5 ;\n[B0-----:R-:W-:-:S01] NOP ;")
    read = simulate("[B------:R0:W-:-:S02] FADD R1, R2, R5 ;\n[B0-----:R-:W-:-:S01] NOP ;")
    assert [after(written), after(read)] == [[11], [6]]


def test_counters_belong_to_the_warp(simulate):
    """Warp 4 waits for its own load only, not for that of warp 0, which comes later."""
    code = f"[B------:R-:W0:-:S02] {LOAD.format(4)}\n[B0-----:R-:W-:-:S01] NOP ;"
    run = simulate(code, block=160, active="0 4")
    young, old = run.issues("LDG", warp=4)[0], run.issues("LDG", warp=0)[0]
    assert young < old
    assert run.issues("NOP", warp=4) == [young + 32]


def test_a_kernel_without_control_bits_runs_with_scoreboards(sass):
    """The load's reader would issue at once; the scoreboard holds it until the result is there."""
    text = sass("LDG.E R4, [R2.64] ;\nFADD R6, R4, R4 ;")
    with_bits = parse(text).kernels[0]
    program = replace(with_bits.program, control_bits=False)
    without = replace(with_bits, program=program)
    distances = []
    for kernel in (with_bits, without):
        rows = engine.simulate(kernel, load("rtx_a6000"), 1, events=True).events
        distances.append(int(rows["issue"][1] - rows["issue"][0]))
    assert distances == [1, 32]
