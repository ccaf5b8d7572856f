"""A sweep on a Dask cluster, from which a worker, the scheduler and the driver are killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

import pandas as pd
import pytest
from studies.stream import KERNEL

from warpwise.sim.studies import points, read, sweep

pytest.importorskip("distributed")

PLAN = """
inputs = ["stream.sass"]
sms = 1
[axes]
"sm.stream_buffer.lines" = [0, 1, 2, 4, 8]
"sm.register_file.read_ports" = [1, 2]
"sm.register_file.cache" = [true, false]
"l2.round_trip" = [180, 190, 200, 210, 220, 230, 240, 250, 260, 270]
"""
POINTS = 200
PATIENCE_S = 120


def module(name, *arguments):
    """A process that runs a module, alone in its group so that it can be killed whole."""
    return subprocess.Popen(
        [sys.executable, "-m", name, *map(str, arguments)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """A scheduler and two workers, each a process of its own, and the command that uses them."""

    def __init__(self, stack, plan, folder):
        self._stack, self._plan, self._folder = stack, plan, folder
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("dask_scheduler", "--port", port, "--no-dashboard")
        self.workers = [self.worker() for _ in range(2)]

    def _start(self, name, *arguments):
        options = ("--host", "127.0.0.1")
        process = module(f"distributed.cli.{name}", *arguments, *options)
        self._stack.callback(kill, process)
        return process

    def worker(self):
        return self._start("dask_worker", self.address, "--nthreads", 1, "--no-nanny")

    def driver(self):
        arguments = ("sweep", self._plan, "-o", self._folder, "--scheduler", self.address)
        process = module("warpwise.sim", *arguments)
        self._stack.callback(kill, process)
        return process


def whole(folder):
    return {path.parent.name for path in folder.glob("*/result.json")}


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.02)


@pytest.mark.slow
def test_two_hundred_points_survive_three_kills(tmp_path):
    """Each kill falls into the middle; the results are those of an undisturbed sweep."""
    (tmp_path / "stream.sass").write_text(KERNEL)
    plan, runs = tmp_path / "sweep.toml", tmp_path / "runs"
    plan.write_text(PLAN)
    assert len({point.key for point in points(read(plan))}) == POINTS

    def more_results(number):
        target = len(whole(runs)) + number
        wait_for(lambda: len(whole(runs)) >= target, "results")
        assert len(whole(runs)) < POINTS, "the kill comes too late to disturb anything"

    with ExitStack() as stack:
        cluster = Cluster(stack, plan, runs)
        driver = cluster.driver()
        more_results(20)
        kill(cluster.workers[0])
        more_results(20)  # by the other worker

        kill(cluster.scheduler)
        wait_for(lambda: driver.poll() is not None, "end of the driver without a scheduler")
        assert driver.returncode == 3
        kept = {path: path.stat().st_mtime_ns for path in runs.glob("*/result.json")}

        cluster = Cluster(stack, plan, runs)
        driver = cluster.driver()
        more_results(20)
        kill(driver)

        driver = cluster.driver()
        wait_for(lambda: driver.poll() is not None, "end of the sweep")
        assert driver.returncode == 0
        assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing ran twice

    undisturbed = sweep(plan, tmp_path / "undisturbed")
    assert len(whole(runs)) == POINTS
    assert undisturbed["error"].isna().all()
    pd.testing.assert_frame_equal(pd.read_parquet(runs / "sweep.parquet"), undisturbed)


def test_a_scheduler_that_is_not_there(tmp_path):
    (tmp_path / "stream.sass").write_text(KERNEL)
    (tmp_path / "sweep.toml").write_text('inputs = ["stream.sass"]\n')
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(Exception, match="no Dask scheduler answers at"):
        sweep(tmp_path / "sweep.toml", tmp_path / "runs", scheduler=address)
