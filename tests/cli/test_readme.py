"""What the README shows is what the command does."""

import shlex
import shutil

import pytest
from cli.conftest import KERNELS, ROOT

from warpwise.sim import run
from warpwise.traces import accelsim_writer
from warpwise.traces.load import load

BLOCKS = (ROOT / "README.md").read_text().split("```\n")[1::2]
(LISTING,) = (block for block in BLOCKS if block.startswith(".arch"))
(SESSION,) = (block for block in BLOCKS if block.startswith("$ "))
COMMANDS = [
    line.partition("#")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("warpwise ") and "./app" not in line  # tests/runtime compiles programs
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with the files that the README names."""
    (tmp_path / "traces").symlink_to(ROOT / "traces")
    (tmp_path / "validation/microbenchmarks").mkdir(parents=True)
    for path in (ROOT / "validation/microbenchmarks").glob("MaxFlops.*"):  # the shortest one
        (tmp_path / "validation/microbenchmarks" / path.name).symlink_to(path)
    (tmp_path / "listing.sass").write_text(LISTING)
    shutil.copy(KERNELS / "saxpy.sm_86.cubin", tmp_path / "kernel.cubin")
    shutil.copy(KERNELS / "saxpy.toml", tmp_path / "launch.toml")
    accelsim_writer.write(
        load(tmp_path / "kernel.cubin", tmp_path / "launch.toml"), tmp_path / "kernelslist.g"
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_work(command, line):
    if " report " in line:
        run(load("listing.sass")).save("runs")
    outcome = command(*shlex.split(line)[1:])
    assert outcome.code == 0
    assert outcome.out


@pytest.mark.parametrize("session", SESSION.split("$ ")[1:])
def test_output_of_the_example(command, session):
    line, *expected = session.splitlines()
    printed = command(*shlex.split(line)[1:]).out.splitlines()
    assert set(expected) - {"..."} <= set(printed)
