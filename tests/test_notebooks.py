"""Every notebook runs, and says what its text promises."""

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_notebook_runs(path):
    runpy.run_path(str(path))


def test_register_ports():
    table = runpy.run_path(str(NOTEBOOKS / "register_ports.py"))["table"]
    assert list(table.loc["three sources in one bank"]) == [3, 1.5, 1]
    assert list(table.loc["two in one bank"]) == [2, 1, 1]
