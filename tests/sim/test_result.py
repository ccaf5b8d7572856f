"""What a run gives to a notebook: frames, hot spots, a timeline, a file."""

import json

import pytest

from warpwise.sim import run
from warpwise.traces.handwritten import parse

KERNEL = """
.arch sm_86
.kernel two_warps
.block 64
.warm icache
@repeat 6 [B------:R-:W-:-:S04] FADD R1, R2, R3 ;
[B------:R-:W-:-:S01] EXIT ;
"""


@pytest.fixture(scope="module")
def result():
    return run(parse(KERNEL), sms=1, events=True)


def test_frames_agree_with_the_numbers(result):
    assert result.stats.loc[0, "cycles"] == result.cycles
    assert result.stalls.sum(axis=1).iloc[0] == result.stats.loc[0, "warp_cycles"]
    assert result.stalls["selected"].iloc[0] == result.warp_inst == 14


def test_hotspots_share_all_cycles(result):
    hotspots = result.hotspots(7)
    assert hotspots["issued"].sum() == 14
    assert hotspots["share"].sum() == pytest.approx(1)


def test_timeline_has_a_lane_for_each_warp_and_a_bar_for_each_issue(result):
    axes = result.timeline()
    assert len(axes.get_yticks()) == 2
    assert len(axes.patches) == 14
    assert axes.get_xlabel() == "issue cycle"


def test_saved_run_is_what_the_command_prints(result, tmp_path):
    path = result.save(tmp_path / "run")
    assert json.loads(path.read_text()) == result.to_dict()
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "events.parquet",
        "instructions.parquet",
        "result.json",
        "stalls.parquet",
        "stats.parquet",
    ]
