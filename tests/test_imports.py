"""Imports point one way, between the folders and inside `sim`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("isa", "traces", "sim", "validation")
# Inside `sim`, every part may use those of earlier rows; parts that are not listed may use all.
SIM = (("compiled",), ("machine", "core"), ("sm",), ("gpu",), ("engine",))


def imported(path: Path) -> set[str]:
    """What a module imports from `warpwise`, as dotted names that begin with the folder."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("warpwise.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.removeprefix("warpwise.").split(".") if node.module else []
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def uses(path: Path, part: str) -> bool:
    return any(name == part or name.startswith(f"{part}.") for name in imported(path))


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders(folder):
    later = FOLDERS[FOLDERS.index(folder) + 1 :]
    wrong = [(str(m), part) for m in modules(folder) for part in later if uses(m, part)]
    assert not wrong


@pytest.mark.parametrize("row", range(len(SIM)))
def test_inside_sim(row):
    members = [m for part in SIM[row] for m in (*modules(f"sim/{part}"), ROOT / f"sim/{part}.py")]
    later = [f"sim.{part}" for parts in SIM[row + 1 :] for part in parts]
    wrong = [(str(m), part) for m in members if m.exists() for part in later if uses(m, part)]
    assert not wrong


def test_the_twin_knows_nothing_of_the_engine():
    """It shares instructions, traces, the parameters and CUDA's occupancy rules, and no stage."""
    parts = ("compiled", "core", "sm", "gpu", "engine", "lowering", "streams", "events", "api")
    twin = modules("sim/reference")
    assert twin
    assert not [(str(m), part) for m in twin for part in parts if uses(m, f"sim.{part}")]


def test_relative_imports_are_understood():
    assert "isa.errors.InputError" in imported(ROOT / "traces/load.py")
    assert "traces.store" in imported(ROOT / "traces/load.py")
