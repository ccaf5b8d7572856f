"""The timeline of a window: stages, reasons of stalls, dependences; checked on the paper's code."""

import numpy as np
import pytest

from warpwise.isa.errors import InputError
from warpwise.sim import engine
from warpwise.sim.machine.load import load as load_machine
from warpwise.sim.report.pipeline import Window, record
from warpwise.sim.stalls import NOT_RESIDENT, STATES, StateLog
from warpwise.traces.handwritten import parse

LISTING_2 = """
[B------:R-:W-:-:S01] CS2R.32 R14, SR_CLOCKLO ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S04] FADD R1, R2, R3 ;
[B------:R-:W-:-:S01] FFMA R5, R1, R1, R1 ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] CS2R.32 R24, SR_CLOCKLO ;
"""
TABLE_1 = "@repeat 8 [B------:R-:W-:-:S01] LDG.E R4, [R2.64] ;"
LOADS = """
[B------:R-:W0:-:S01] LDG.E R2, [R10.64] ;
[B------:R1:W2:-:S02] LDG.E R4, [R12.64] ;
[B-1----:R-:W-:-:S04] MOV R12, R20 ;
[B0-2---:R-:W-:-:S01] FADD R6, R2, R4 ;
"""

LETTERS = {"F": "f", "D": "d", "IB": "b", "Is": "I", "Ct": "c", "Al": "a", "RO": "r", "Wb": "W"}


@pytest.fixture
def look(sass):
    """Looks at a window of a kernel; `shape` is that of `kernel_text`."""

    def call(code, first=0, last=100, place=None, changes=None, **shape):
        kernel = parse(sass(code, **shape)).kernels[0]
        machine = load_machine("rtx_a6000", "ref", changes)
        return record(kernel, machine, Window(first, last, **(place or {})))

    return call


def drawn(pipeline):
    """A line an instruction, a column a cycle: a letter a stage, x for execution."""
    lines = []
    for row in pipeline.rows:
        line = [" "] * row.end
        for stage in row.stages:
            letter = LETTERS.get(stage.name, "x")
            line[stage.begin : stage.end] = letter * (stage.end - stage.begin)
        lines.append(f"{row.text.split()[0]:<8}{''.join(line)}")
    return "\n".join(lines)


def reasons(row):
    return {stall.name: stall.end - stall.begin for stall in row.stalls}


def test_listing_2_cycle_by_cycle(look):
    """The FADD's stall count of 4 holds the FFMA in the instruction buffer for three cycles."""
    golden = """\
CS2R.32  ffdIcarrrxxxxW
NOP       ffdIcarrrxxW
FADD       ffdIcarrrxxxxW
FFMA        ffdbbbIcarrrxxxxW
NOP          ffdbbbIcarrrxxW
CS2R.32       ffdbbbIcarrrxxxxW
EXIT              ffdIcarrrxxW"""
    pipeline = look(LISTING_2)
    assert drawn(pipeline) == golden
    assert reasons(pipeline.rows[3]) == {"wait": 3}
    assert [(a.producer, a.consumer, a.what) for a in pipeline.arrows] == [(2, 3, "R1")]


def test_table_1_the_sixth_load_waits_for_a_place_in_the_queue(look):
    loads = look(TABLE_1).rows[:8]
    issue = [row.issue - loads[0].issue for row in loads]
    assert issue == [0, 1, 2, 3, 4, 11, 15, 19]
    assert [reasons(row) for row in loads[5:]] == [{"lg_throttle": n} for n in (6, 3, 3)]


def test_dependences_of_loads(look):
    """Registers that are read, and the counter alone where a source is to be overwritten."""
    pipeline = look(LOADS)
    arrows = {(a.producer, a.consumer, a.what) for a in pipeline.arrows}
    assert arrows == {(1, 2, "SB1"), (0, 3, "R2"), (1, 3, "R4")}
    assert "long_scoreboard" in reasons(pipeline.rows[3])


def test_scoreboards_do_not_draw_counters(look):
    pipeline = look(LOADS, changes={"sm.dependence.mode": "scoreboard"})
    assert {a.what for a in pipeline.arrows} == {"R2", "R4"}


def test_a_window_shows_whole_instructions_and_clips_states(look):
    """What is anywhere in the pipeline in cycles 14 and 15: the first NOP was done in 13."""
    whole, part = look(LISTING_2), look(LISTING_2, 14, 16)
    assert part.rows[0].stages == whole.rows[0].stages
    assert [row.text for row in part.rows] == [r.text for r in (whole.rows[0], *whole.rows[2:])]
    assert [(s.name, s.begin, s.end) for _, _, s in part.states] == [("drain", 14, 16)]


def test_rows_by_warp(look):
    pipeline = look(LISTING_2, block=256, place={"by_warp": True, "subcore": 1, "warps": (1, 5)})
    warps = [row.warp for row in pipeline.rows]
    assert warps == sorted(warps)
    assert set(warps) == {1, 5}
    assert all(
        pipeline.rows[a.producer].warp == pipeline.rows[a.consumer].warp for a in pipeline.arrows
    )


def simulated(sass, code, log, **shape):
    kernel = parse(sass(code, **shape)).kernels[0]
    return engine.simulate(kernel, load_machine("rtx_a6000"), 1, events=True, log=log)


def test_the_log_agrees_with_the_counters(sass):
    log = StateLog(0, 0, 400)
    state = simulated(sass, TABLE_1 + LOADS, log, block=512)
    logged = np.bincount(log.states[log.states != NOT_RESIDENT], minlength=len(STATES))
    assert list(logged) == list(engine.stall_cycles(state))
    assert logged.sum() > 1000


def test_the_log_changes_nothing(sass):
    runs = [simulated(sass, LOADS, log, block=256) for log in (None, StateLog(0, 3, 50))]
    assert runs[0].execution_cycles == runs[1].execution_cycles
    assert (runs[0].events == runs[1].events).all()


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"first": 5, "last": 5}, "expected 0 <= first < last"),
        ({"first": 9000}, "ends at cycle"),
        ({"place": {"sm": 84}}, "has 0 to 83"),
        ({"place": {"sm": 7}}, "these SMs do: 0$"),
        ({"place": {"warps": (3,)}}, "warps 0 issue in cycles 4 to"),
        ({"place": {"subcore": 2}}, "sub-core 2 of SM 0 executes nothing"),
        ({"last": 10_000_000}, "at most 1000000"),
    ],
)
def test_windows_that_show_nothing(look, window, message):
    with pytest.raises(InputError, match=message):
        look(LISTING_2, **{"last": 10_000, **window})
