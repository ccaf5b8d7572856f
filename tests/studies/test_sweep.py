"""Sweeps: every point once, whatever is killed in between; failures are rows."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from cli.conftest import ROOT
from studies.stream import KERNEL

from warpwise.isa.errors import InputError
from warpwise.sim import run
from warpwise.sim.cli_sweep import Line
from warpwise.sim.studies import Sweep, main_effects, points, read, sweep
from warpwise.traces import convert as formats
from warpwise.traces.handwritten import parse
from warpwise.traces.load import load

COMMAND = [sys.executable, "-c", "from warpwise.sim.cli import main; main()", "sweep"]
PLAN = """
inputs = ["stream.sass"]
sms = 1
[axes]
"sm.stream_buffer.lines" = {lines}
"sm.register_file.read_ports" = [1, 2]
"""


@pytest.fixture
def plan(tmp_path):
    """A sweep's file; the argument says over which sizes of the stream buffer."""

    def write(lines=(0, 8), more=""):
        (tmp_path / "stream.sass").write_text(KERNEL)
        path = tmp_path / "sweep.toml"
        path.write_text(PLAN.format(lines=list(lines)) + more)
        return path

    return write


def results(folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


KERNELS = ROOT / "traces/kernels"
SAXPY = KERNELS / "saxpy.sm_86.cubin"


@pytest.fixture
def text_trace(tmp_path):
    """An Accel-Sim trace, without control bits, and the cycles of its native twin on two SMs."""
    native = load(SAXPY, KERNELS / "saxpy.toml")
    formats.write(native, tmp_path / "text/kernelslist.g")
    return "text/kernelslist.g", run(native, sms=2).cycles


@pytest.mark.filterwarnings("ignore:.*no control bits")
def test_a_cubin_restores_what_text_lacks(text_trace, tmp_path):
    trace, cycles = text_trace
    path = tmp_path / "text.toml"
    path.write_text(f"""sms = 2
inputs = ["{trace}", {{ trace = "{trace}", cubin = "{SAXPY}" }}]""")
    bare, whole = sweep(path, tmp_path / "runs")["cycles"]
    assert bare < whole == cycles
    assert set(sweep(read(path).with_program(SAXPY), tmp_path / "runs")["cycles"]) == {cycles}


def test_a_cubin_is_for_text_traces(plan, tmp_path):
    with pytest.raises(InputError, match="expected an Accel-Sim trace without one"):
        read(plan()).with_program(SAXPY)


def test_axes_are_crossed_and_the_table_is_tidy(plan, tmp_path):
    frame = sweep(plan(), tmp_path / "runs")
    assert len(frame) == 4
    cycles = frame.pivot_table(
        index="sm.stream_buffer.lines", columns="sm.register_file.read_ports", values="cycles"
    )
    assert (cycles.loc[0] > cycles.loc[8]).all()  # each line misses without the prefetcher
    assert frame["error"].isna().all()
    written = pd.read_parquet(tmp_path / "runs/sweep.parquet")
    pd.testing.assert_frame_equal(written, frame, check_dtype=False)


def test_done_points_are_not_run_again(plan, tmp_path):
    runs = tmp_path / "runs"
    first = sweep(plan(), runs)
    before = results(runs)
    (runs / next(iter(before)) / "result.json").unlink()  # as a killed run leaves it
    again = sweep(plan((0, 8, 4)), runs)
    after = results(runs)
    kept = before.keys() - {next(iter(before))}
    assert len(after) == 6
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    old = again[again["sm.stream_buffer.lines"] != 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, first)


def test_two_processes_give_the_same_table(plan, tmp_path):
    alone, together = (sweep(plan(), tmp_path / f"runs{n}", jobs=n) for n in (1, 2))
    pd.testing.assert_frame_equal(alone, together)


def test_a_point_that_fails_is_a_row(plan, tmp_path):
    """With one cycle allowed, nothing ends; the next call without the limit succeeds."""
    path = plan((8,))
    limited = path.with_name("limited.toml")
    limited.write_text("max_cycles = 1\n" + path.read_text())
    frame = sweep(limited, tmp_path / "runs")
    assert frame["error"].str.contains("cycle limit").all()
    assert len(frame) == 2
    assert sweep(path, tmp_path / "runs")["error"].isna().all()


def test_a_changed_input_is_another_point(plan, tmp_path):
    path = plan()
    before = {point.key for point in points(read(path))}
    (tmp_path / "stream.sass").write_text(KERNEL.replace("200", "201"))
    assert not before & {point.key for point in points(read(path))}


def test_settings_that_are_the_same_run_share_it(plan, tmp_path):
    """Eight lines are this GPU's own number: two rows of the table, one folder."""
    path = plan((8,))
    path.write_text(path.read_text() + '\n[[points]]\npreset = "ref"\n')
    frame = sweep(path, tmp_path / "runs")
    assert len(frame) == 3
    assert len(results(tmp_path / "runs")) == 2
    named = frame[frame["sm.stream_buffer.lines"].isna()]
    assert named["cycles"].item() in set(frame["cycles"][:2])


def test_samples_and_screening_add_to_the_grid(plan, tmp_path):
    more = """
[latin]
samples = 5
seed = 1
axes."sm.stream_buffer.lines" = [0, 4]
axes."l2.round_trip" = [200, 299]
[screening]
foldover = true
axes."sm.register_file.read_ports" = [1, 3]
axes."sm.register_file.cache" = [false, true]
axes."sm.stream_buffer.lines" = [0, 16]
"""
    path = plan((8,), more)
    settings = read(path).settings()
    assert len(settings) == 2 + 5 + 8
    assert sorted(point["sm.stream_buffer.lines"] for point in settings[2:7]) == [0, 1, 2, 3, 4]
    assert settings == read(path).settings()
    frame = sweep(path, tmp_path / "runs")
    assert frame["error"].isna().all()
    effects = main_effects(frame, read(path).screening.axes)
    assert effects.set_index("factor")["rank"].idxmin() == "sm.stream_buffer.lines"
    assert (effects.set_index("factor").loc["sm.stream_buffer.lines", "effect"]) < 0


def test_kernels_of_the_zoo_with_seeds(tmp_path):
    """A seed draws other inputs: another number of steps, or the same run if data do not matter."""
    plan = Sweep(inputs=[{"zoo": "bfs_*"}, {"zoo": "saxpy"}], seeds=[1, 2], sms=1)
    frame = sweep(plan, tmp_path / "runs")
    runs = frame.groupby(["input", "seed"])["cycles"].sum().unstack()
    assert list(runs.index) == ["bfs_level", "bfs_queue", "saxpy"]
    assert (runs.loc["bfs_level", 1] != runs.loc["bfs_level", 2]).all()
    assert frame[frame["input"] == "saxpy"]["cycles"].nunique() == 1


@pytest.mark.parametrize("listed", ["kernelslist.g", "dynamic_trace.pb"])
def test_files_beside_a_list_of_launches_count(tmp_path, listed):
    (tmp_path / listed).write_text("kernel-1.traceg\n")
    (tmp_path / "kernel-1.traceg").write_text("one")
    plan = Sweep(inputs=[str(tmp_path / listed)])
    before = points(plan)[0].key
    (tmp_path / "kernel-1.traceg").write_text("two")
    assert points(plan)[0].key != before


@pytest.mark.parametrize("listed", ["", "traces/dynamic_trace.pb"])
def test_a_protobuf_tree_is_an_input(tmp_path, listed):
    """As the folder of its application, or by its list of launches."""
    pytest.importorskip("google.protobuf")
    trace = parse(KERNEL)
    formats.write(trace, tmp_path / "stream/traces/dynamic_trace.pb")
    frame = sweep(Sweep(inputs=[str(tmp_path / "stream" / listed)], sms=1), tmp_path / "runs")
    assert frame["cycles"].tolist() == [run(trace, sms=1).cycles]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[latin]\nsamples = 3\naxes.sms = [8, 1]", "lower end comes first"),
        ('[screening]\naxes.preset = ["ref", "ref"]', "two different values"),
        ('[[points]]\npreset = "reff"', "unknown preset"),
        ('"sm.stream_bufer.lines" = [1]', "did you mean sm.stream_buffer.lines"),
        ("[sett]", "sweep.toml: sett"),
        ('"gpu" = ["voodoo"]', "unknown GPU 'voodoo'"),
    ],
)
def test_mistakes_are_found_before_anything_runs(plan, tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        sweep(plan(more=more), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_command(plan, tmp_path):
    command = [*COMMAND, plan(), "-o", tmp_path / "runs", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["points"] == 4


def test_the_command_ranks_what_a_screening_varied(plan, tmp_path):
    path = plan()
    factors = '"sm.stream_buffer.lines" = [0, 8]\n"sm.register_file.read_ports" = [1, 2]\n'
    path.write_text('inputs = ["stream.sass"]\nsms = 1\n[screening.axes]\n' + factors)
    command = [*COMMAND, path, "-o", tmp_path / "runs"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first = shown.partition("main effects")[2].splitlines()[2].split()
    assert first[0] == "sm.stream_buffer.lines"
    assert float(first[1]) < 0


def test_progress_tells_the_time_to_go():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    line = Line(stream)
    for done in (10, 11, 12):  # ten were done before
        line(done, 12)
    assert "10 of 12 points" in stream.getvalue()
    assert "11 of 12 points, about 0 s to go" in stream.getvalue()
    assert stream.getvalue().endswith("12 of 12 points, about 0 s to go\n")


@pytest.mark.slow
def test_a_killed_driver_loses_nothing(plan, tmp_path):
    """Killed twice in the middle; the table is that of an undisturbed sweep."""
    path, runs = plan(range(33)), tmp_path / "runs"
    command = [*COMMAND, path, "-o", runs, "-j", "2"]
    for more in (1, 5):
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        target = len(results(runs)) + more
        while process.poll() is None and len(results(runs)) < target:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    disturbed = sweep(path, runs)
    pd.testing.assert_frame_equal(disturbed, sweep(path, tmp_path / "undisturbed"))


@pytest.mark.slow
def test_dask_moves_the_points_of_a_killed_worker(plan, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
    ):
        victim = cluster.workers[0].pid

        def kill_one(done, total):
            if done == 3:
                os.kill(victim, signal.SIGKILL)

        frame = sweep(
            plan(range(33)),
            tmp_path / "runs",
            scheduler=cluster.scheduler_address,
            progress=kill_one,
        )
    pd.testing.assert_frame_equal(frame, sweep(plan(range(33)), tmp_path / "undisturbed"))


def test_what_is_set_comes_first_in_the_table(plan, tmp_path):
    """Also axes that the first points do not have."""
    more = '[[points]]\n"l2.round_trip" = 200\n'
    frame = sweep(plan(lines=[8], more=more), tmp_path / "runs")
    assert list(frame)[:8] == [
        *("point", "input", "gpu", "preset"),
        *("sm.stream_buffer.lines", "sm.register_file.read_ports", "l2.round_trip", "name"),
    ]
