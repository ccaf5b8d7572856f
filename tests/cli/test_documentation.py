"""What guide and how-tos show can be done as it stands there."""

import shlex

import pytest
from cli.conftest import ROOT, blocks

from warpwise.sim import sweep
from warpwise.sim.machine.load import load

GUIDE = blocks(ROOT / "docs/guide.md")
EXTEND = blocks(ROOT / "docs/extend.md")
pytestmark = pytest.mark.usefixtures("documented")


@pytest.mark.parametrize("block", [b for b in GUIDE if "warpwise " in b and "import" not in b])
def test_commands_of_the_guide_work_one_after_the_other(command, block):
    for line in block.splitlines():
        if line.startswith("warpwise "):
            outcome = command(*shlex.split(line)[1:])
            assert outcome.code == 0, line
            assert outcome.out


def test_python_of_the_guide_works(documented, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    (code,) = (block for block in GUIDE if block.startswith("from warpwise"))
    names = {}
    exec(code, names)
    assert names["wider"].cycles <= names["result"].cycles
    assert (documented / "runs/matmul/result.json").exists()


def test_the_gpu_that_is_added_loads(documented):
    (text,) = (block for block in EXTEND if block.startswith("schema"))
    (documented / "rtx_3060.toml").write_text(text)
    machine = load("rtx_3060.toml")
    assert machine.gpu.sms == 28
    assert machine.gpu.sm.occupancy.warps == 48  # of its architecture
    assert machine.sources["l2.ways"].kind == "assumed"


def test_the_study_that_is_added_runs(documented, monkeypatch):
    """With a shorter input, in this process."""
    (code,) = (block for block in EXTEND if "plan = Sweep(" in block)
    code = code.replace("app.warptrace", "listing.sass").replace("sgemm_*", "ffma_chain")
    names = {}
    exec(code.replace(", jobs=2", ""), names)
    assert len(names["frame"]) == 2 * 3
    assert names["frame"]["error"].isna().all()
    assert sweep(names["plan"], "runs/prefetcher")["cycles"].equals(names["frame"]["cycles"])
