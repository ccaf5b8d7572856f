"""What the README shows is what the command does."""

import shlex

import pytest
from cli.conftest import ROOT, blocks

from warpwise.sim import run
from warpwise.traces.load import load

BLOCKS = blocks(ROOT / "README.md")
(LISTING,) = (block for block in BLOCKS if block.startswith(".arch"))
(SESSION,) = (block for block in BLOCKS if block.startswith("$ "))
COMMANDS = [
    line.partition("#")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("warpwise ") and "./app" not in line  # tests/runtime compiles programs
]


pytestmark = pytest.mark.usefixtures("documented")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_work(command, line):
    if " report " in line:
        run(load("listing.sass")).save("run")
    outcome = command(*shlex.split(line)[1:])
    assert outcome.code == 0
    assert outcome.out


@pytest.mark.parametrize("session", SESSION.split("$ ")[1:])
def test_output_of_the_example(command, session):
    line, *expected = session.splitlines()
    printed = command(*shlex.split(line)[1:]).out.splitlines()
    assert set(expected) - {"..."} <= set(printed)
