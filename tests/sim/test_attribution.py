"""Warp-cycles by instruction and issue slots by sub-core: exact partitions of the same run."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from warpwise.isa.errors import InputError
from warpwise.sim import attribution, run
from warpwise.sim.attribution import attribute
from warpwise.sim.machine.load import load
from warpwise.sim.stalls import STATES
from warpwise.traces.handwritten import parse
from warpwise.traces.load import load as load_trace

STATE_LIST = list(STATES)
SAMPLE = Path(__file__).parents[2] / "traces/samples/matmul.warptrace"
LOADS = """
.arch sm_86
.kernel loads
.block 160
.warm icache
[B------:R-:W0:-:S02] LDG.E R2, [R4.64] ; @addr base=0x1000 stride=4
[B0-----:R-:W-:-:S04] FADD R1, R2, R3 ;
[B------:R-:W-:-:S05] BAR.SYNC 0x0 ;
[B------:R-:W-:-:S01] STG.E [R4.64], R1 ; @addr base=0x1000 stride=4
[B------:R-:W-:-:S01] EXIT ;
"""


@pytest.fixture(scope="module", params=["loads", "matmul"])
def both(request):
    trace = parse(LOADS) if request.param == "loads" else load_trace(SAMPLE)
    kernel = trace.kernels[0]
    return run(trace, sms=1).kernels[0], attribute(kernel, load("rtx_a6000"), sms=1)


def test_instructions_share_the_warp_cycles_of_each_state(both):
    result, attribution = both
    assert attribution.by_pc[STATE_LIST].sum().to_dict() == result.stalls


def test_instructions_share_those_of_their_sm():
    """Of two SMs, the attribution is that of the first, in every state."""
    result = run(load_trace(SAMPLE), sms=2, attribution=True)
    parts = result.subcore_stalls
    first = parts[parts["sm"] == 0][STATE_LIST].sum()
    assert result.pc[STATE_LIST].sum().tolist() == first.tolist()
    assert first.sum() < result.stalls.to_numpy().sum()


def test_a_kernel_finds_the_l2_that_the_run_left():
    """The second launch of a kernel hits where the first one missed, and is attributed so."""
    trace = parse(LOADS)
    twice = replace(trace, kernels=(trace.kernels[0], replace(trace.kernels[0], launch=1)))
    result = run(twice, sms=1, attribution=True)
    cold, warm = result.kernels
    assert warm.execution_cycles < cold.execution_cycles
    by_pc = result.pc.groupby("launch")[STATE_LIST].sum()
    assert by_pc.loc[0].to_dict() == cold.stalls
    assert by_pc.loc[1].to_dict() == warm.stalls


def test_each_instruction_has_the_cycles_that_it_issued(both):
    result, attribution = both
    assert attribution.by_pc["selected"].tolist() == result.counts["issued"].tolist()


def test_every_cycle_of_a_subcore_is_one_issue_slot(both):
    result, attribution = both
    slots = attribution.issue_slots
    assert slots.sum(axis=1).tolist() == [attribution.execution_cycles] * 4
    assert slots["selected"].sum() == result.warp_inst
    assert attribution.execution_cycles == result.execution_cycles


def test_attribution_changes_nothing_else():
    plain, attributed = run(parse(LOADS), sms=1), run(parse(LOADS), sms=1, attribution=True)
    assert attributed.stats["cycles"].tolist() == plain.stats["cycles"].tolist()
    assert attributed.stalls.equals(plain.stalls)
    with pytest.raises(ValueError, match="attribution=True"):
        _ = plain.pc


def test_it_is_part_of_a_saved_run(tmp_path):
    result = run(parse(LOADS), sms=1, attribution=True)
    result.save(tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "pc.parquet"), result.pc)
    slots = pd.read_parquet(tmp_path / "issue_slots.parquet")
    assert slots.attrs["metrics"]["idle"]["unit"] == "cycle"
    run(parse(LOADS), sms=1).save(tmp_path)
    assert not (tmp_path / "pc.parquet").exists()


def test_kernels_that_are_too_long_are_refused(monkeypatch):
    monkeypatch.setattr(attribution, "MOST_CYCLES", 50)
    with pytest.raises(InputError, match="attribution at most 50; leave it out"):
        run(parse(LOADS), sms=1, attribution=True)


def test_a_load_is_waited_for_by_its_reader():
    by_pc = attribute(parse(LOADS).kernels[0], load("rtx_a6000"), sms=1).by_pc
    assert by_pc["long_scoreboard"].idxmax() == 1
    assert by_pc.loc[by_pc["drain"] > 0, "instruction"].str.startswith("EXIT").all()
