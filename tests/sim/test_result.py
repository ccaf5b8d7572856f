"""What a run gives to a notebook: frames, hot spots, a timeline, a file."""

import json

import pandas as pd
import pytest

from warpwise.sim import run
from warpwise.sim.metrics import METRICS, table
from warpwise.sim.stalls import STATES
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
    assert sum(len(marks.get_paths()) for marks in axes.collections) == 14
    assert [marks.get_label() for marks in axes.collections] == ["multiply-add", "control"]
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
        "subcore_stalls.parquet",
    ]


def test_every_statistic_says_what_it_is(result, tmp_path):
    """Also after a file: Parquet keeps the explanations."""
    numbers = {name for name in result.stats if name in METRICS}
    assert set(result.kernels[0].statistics) <= numbers
    result.save(tmp_path / "run")
    read = pd.read_parquet(tmp_path / "run" / "stats.parquet")
    about = table(read).set_index("name")
    assert set(about.index) == numbers
    assert about.loc["warp_inst", "nsight"] == "smsp__inst_executed.sum"
    assert about.loc["duration", "unit"] == "ns"


def test_statistics_of_two_warps(result):
    """14 instructions of all 32 lanes; two of 48 warp slots."""
    one = result.stats.loc[0]
    assert one["threads_per_inst"] == 32
    assert one["occupancy_achieved"] == pytest.approx(100 * one["warps_active"] / 48)
    assert one["occupancy_theoretical"] == pytest.approx(100 * 16 * 2 / 48)
    assert one["warp_latency"] == one["warp_cycles"] / 14
    assert one["issue_active"] == pytest.approx(one["ipc_active"] / 4)
    assert one["duration"] == pytest.approx(one["cycles"] / 1.8)
    assert (one["grid_size"], one["block_size"]) == (1, 64)


def test_stalls_of_subcores_are_those_of_the_kernel(result):
    parts = result.subcore_stalls
    assert len(parts) == 4
    assert parts[list(STATES)].sum().tolist() == result.stalls.iloc[0].tolist()
    assert parts["selected"].tolist() == [7, 7, 0, 0]
