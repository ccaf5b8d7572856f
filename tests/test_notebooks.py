"""Every notebook runs, and says what its text promises."""

import runpy
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"


@pytest.fixture(autouse=True)
def work(request, monkeypatch):
    """An empty folder of the notebook's own; its runs stay there for `make docs`."""
    folder = ROOT / "docs/notebooks/work" / request.node.name.removeprefix("test_")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)


def test_every_notebook_has_a_test():
    tested = {name.removeprefix("test_") for name in globals()}
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} <= tested


def test_register_ports():
    table = runpy.run_path(str(NOTEBOOKS / "register_ports.py"))["table"]
    assert list(table.loc["three sources in one bank"]) == [3, 1.5, 1]
    assert list(table.loc["two in one bank"]) == [2, 1, 1]


def test_register_file():
    """Without the cache, one port costs GEMM much and FFMA chains nothing (table 6)."""
    speedup = runpy.run_path(str(NOTEBOOKS / "register_file.py"))["speedup"]
    one_port, two_ports = speedup["rf_1read_rfc_off"], speedup["rf_2read_rfc_off"]
    assert one_port["max_flops"] == one_port["ffma_chain"] == 1
    assert one_port["sgemm_outer"] < 0.8
    assert one_port["sgemm_outer"] < one_port["sgemm_registers"] < 0.95
    assert two_ports["max_flops"] > 1.4
    assert (two_ports[["sgemm_outer", "sgemm_registers"]] > 1).all()
    assert (speedup["rf_ideal"] - two_ports).abs().max() < 0.03
    assert speedup["reuse, %"]["max_flops"] == pytest.approx(1.32, abs=0.01)  # as in the paper


@pytest.mark.slow
def test_prefetcher(monkeypatch):
    """More lines help, and eight are near sixteen and near a perfect cache (table 5)."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    result = runpy.run_path(str(NOTEBOOKS / "prefetcher.py"))["result"]["these kernels"]
    assert list(result) == sorted(result)
    assert result["stream buffer 8"] > 0.95 * result["stream buffer 16"]
    assert result["stream buffer 8"] > 0.9 * result["perfect icache"]  # the paper's 1.37 of 1.5


@pytest.mark.slow
def test_dependence():
    """Scoreboards are slower, with one reader or a late release most of all (table 7)."""
    notebook = runpy.run_path(str(NOTEBOOKS / "dependence.py"))
    result, states = notebook["result"], notebook["states"]
    for release in ("retire", "bypass"):
        assert (result[release] < 1).all()
        assert result[release].idxmin() == "1"
    assert (result["bypass"] > result["retire"]).all()
    assert result["bypass"]["63"] == pytest.approx(result["paper"]["63"], abs=0.03)
    rounded = states["stall_wait"].unstack("preset")
    assert (rounded["scoreboard"] < rounded["ref"] / 2).all()
    readers = states.loc["sha256", "stall_short_scoreboard"]
    assert readers["ref"] < readers["scoreboard"] / 10


def test_where_time_goes(monkeypatch):
    """A column of sectors costs what a column of one bank does, and padding saves both."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = runpy.run_path(str(NOTEBOOKS / "where_time_goes.py"))
    cycles, stack = notebook["summary"]["cycles"], notebook["stack"]
    steps = 32 * notebook["N"] ** 2 / 32 / notebook["SMS"]
    assert (cycles[["direct", "tiled"]] / steps).between(1, 1.3).all()
    assert cycles["padded"] < steps / 2
    assert stack.loc["direct"].idxmax() == "long_scoreboard"
    queues = stack.loc["tiled", ["short_scoreboard", "lg_throttle", "mio_throttle"]]
    assert queues.sum() > stack.loc["tiled"].sum() / 2
    what_if = notebook["what_if"]
    assert (what_if.loc["L1 data stage at half rate", ["direct", "tiled"]] > 1.7).all()
    assert what_if.loc["L1 data stage at half rate", "padded"] < 1.05
    assert what_if.loc["memory unit at double rate", "padded"] < 0.8
    assert what_if.loc["memory unit at double rate", ["direct", "tiled"]].min() > 0.95
    assert what_if.loc["L2 at half the distance"].min() > 0.9
    assert notebook["hotspots"]["direct"]["instruction"].str.startswith("STG").all()


def test_pipeline():
    """Listing 1 takes 5, 6 and 7 cycles; in figure 4 the youngest warp begins, then the next."""
    shown = runpy.run_path(str(NOTEBOOKS / "pipeline.py"))
    assert list(shown["elapsed"].values()) == [5, 6, 7]
    stalls, yields = shown["issued"].values()
    assert list(stalls["warp"].iloc[:6]) == [12, 12, 8, 8, 4, 4]
    assert list(yields["warp"].iloc[:6]) == [12, 12, 8, 8, 12, 12]


@pytest.mark.slow
def test_mape():
    """The authors' simulator is closer; one application makes up a quarter of the other's MAPE."""
    shown = runpy.run_path(str(NOTEBOOKS / "mape.py"))
    authors, accel_sim = "authors' simulator", "Accel-Sim"
    summary = shown["summary"]
    average = summary["Average"]
    assert average[authors] < average[accel_sim]
    assert summary.loc[accel_sim, "Average_low_95"] < summary.loc[authors, "Average_high_95"]
    assert shown["influence"].loc["shared_lat", accel_sim] > average[accel_sim] / 4
    assert average["warpwise"] < average[authors]
    assert shown["influence"].loc["mem_bw", "warpwise"] > average["warpwise"] / 2
    assert shown["example"].frame["ape"].max() < 2
    assert shown["saved"] == ["correlation.pdf", "correlation.png", "correlation.csv"]
    assert set(shown["plots"]) == {"correlation", "sorted_errors", "signed_errors"}


@pytest.mark.slow
def test_add_a_mechanism():
    """The changed copy passes the notebook's own tests, and the policy is worth something."""
    notebook = runpy.run_path(str(NOTEBOOKS / "add_a_mechanism.py"))
    assert "2 passed" in notebook["tested"]
    speedup = notebook["speedup"]
    assert list(speedup["lri"]) == [1] * len(speedup)
    assert (speedup["youngest"] != 1).any()
    assert speedup["youngest"].between(0.8, 1.25).all()


def test_first_steps(monkeypatch):
    """What control bits say is what the model does, and states add up to all warp-cycles."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    notebook = runpy.run_path(str(NOTEBOOKS / "first_steps.py"))
    kernel, stack = notebook["kernel"], notebook["stack"]
    assert stack.sum() == pytest.approx(kernel.statistics["warp_cycles"] / kernel.warp_inst)
    assert stack.idxmax() == "long_scoreboard"
    assert notebook["unrolled"].execution_cycles < kernel.execution_cycles
