"""Speed of the simulator on this machine, as text and as plain values."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SCHEMA = 1
SIZES = (1, 84)  # SMs of the short set


def measure(threads: int) -> list[Any]:
    """Rows of `validation.benchmarks` on so many threads."""
    benchmarks = import_module("warpwise.validation.benchmarks")
    return list(benchmarks.rows(SIZES, (threads,)))


def text(rows: list[Any]) -> str:
    """A table."""
    return str(import_module("warpwise.validation.benchmarks").text(rows))


def document(rows: list[Any]) -> dict[str, Any]:
    """For JSON."""
    return {"schema": SCHEMA, "rows": [row.to_dict() for row in rows]}
