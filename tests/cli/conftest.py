"""The command called in this process, and inputs for it."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from warpwise.sim import cli
from warpwise.traces import accelsim_writer
from warpwise.traces.load import load

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "traces/kernels"

LISTING = """
.arch sm_86
.kernel read_ports
.warm icache
[B------:R-:W-:-:S01] CS2R.32 R2, SR_CLOCKLO ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] FFMA R11, R10, R12, R14 ;
[B------:R-:W-:-:S01] FFMA R13, R16, R18, R20 ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] CS2R.32 R3, SR_CLOCKLO ;
[B------:R-:W-:-:S01] EXIT ;
"""


@dataclass(frozen=True)
class Outcome:
    """What a call of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@pytest.fixture
def command(capsys):
    """Calls the command with some arguments."""

    def call(*args):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Outcome(stop.value.code or 0, captured.out, captured.err)

    return call


@pytest.fixture
def listing(tmp_path):
    """A kernel of seven instructions."""
    return written(tmp_path / "listing.sass", LISTING)


def blocks(page):
    """The literal blocks of a page in Markdown."""
    return re.findall(r"^```[a-z]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """The working directory, with the files that README and guide name."""
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    (tmp_path / "validation/microbenchmarks").mkdir(parents=True)
    for path in (ROOT / "validation/microbenchmarks").glob("MaxFlops.*"):  # the shortest one
        (tmp_path / "validation/microbenchmarks" / path.name).symlink_to(path)
    listing = next(b for b in blocks(ROOT / "README.md") if b.startswith(".arch"))
    (tmp_path / "listing.sass").write_text(listing)
    shutil.copy(KERNELS / "saxpy.sm_86.cubin", tmp_path / "kernel.cubin")
    shutil.copy(KERNELS / "saxpy.toml", tmp_path / "launch.toml")
    accelsim_writer.write(
        load(tmp_path / "kernel.cubin", tmp_path / "launch.toml"), tmp_path / "kernelslist.g"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sample():
    """The trace that ships."""
    return ROOT / "traces/samples/matmul.warptrace"


@pytest.fixture
def launched():
    """Arguments that emulate a bundled kernel."""
    return lambda name: (KERNELS / f"{name}.sm_86.cubin", "--launch", KERNELS / f"{name}.toml")


@pytest.fixture
def kernel_file(tmp_path):
    """Writes a file of one kernel with the given lines."""

    def write(*lines):
        text = "\n".join([".arch sm_86", ".kernel tiny", *lines, "EXIT ;"])
        return written(tmp_path / "tiny.sass", text)

    return write


def written(path, text):
    path.write_text(text)
    return path
