"""The published numbers in `validation/hardware`."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "hardware"


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a file, by column."""
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


def listing(identifier: str) -> dict[str, str]:
    """One experiment of the listings or of the text."""
    return {row["id"]: row for row in table("listings")}[identifier]
