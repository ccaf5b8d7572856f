"""`warpwise view`: which window, and a timeline in one of several formats."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
import zstandard

from ..isa.files import whole
from .report.konata import kanata
from .report.perfetto import chrome_trace
from .report.pipeline import Pipeline
from .report.timeline_page import page

FORMATS: dict[str, Callable[[Pipeline], str]] = {
    "html": page,
    "konata": kanata,
    "perfetto": chrome_trace,
}


def parse_cycles(text: str) -> tuple[int, int]:
    """`100:200` as (100, 200): from cycle 100 up to, not including, cycle 200."""
    match = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if match is None or int(match[1]) >= int(match[2]):
        raise typer.BadParameter(f"{text!r} found, expected FIRST:LAST with FIRST below LAST")
    return int(match[1]), int(match[2])


def parse_warps(text: str) -> tuple[int, ...]:
    """`0,4-6` as (0, 4, 5, 6)."""
    warps: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise typer.BadParameter(f"{part!r} found, expected warps such as 0 or 4-7")
        warps += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(warps)


def write(pipeline: Pipeline, path: Path, format: str) -> None:
    """Write the timeline; a name in `.gz` or `.zst` asks for compression."""
    content = FORMATS[format](pipeline).encode()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    elif path.suffix == ".zst":
        content = zstandard.compress(content)
    with whole(path) as stream:
        stream.write(content)


def document(pipeline: Pipeline, path: Path, format: str) -> dict[str, Any]:
    """What `warpwise view --json` prints."""
    return {
        "schema": 1,
        "file": str(path),
        "format": format,
        "kernel": pipeline.kernel,
        "gpu": pipeline.gpu,
        "sm": pipeline.window.sm,
        "cycles": [pipeline.window.first, pipeline.window.last],
        "execution_cycles": pipeline.execution_cycles,
        "instructions": len(pipeline.rows),
        "dependences": len(pipeline.arrows),
        "states": pipeline.stall_cycles,
    }


def text(pipeline: Pipeline, path: Path) -> str:
    """One sentence about what was written."""
    return f"{path}: {pipeline.kernel}, {pipeline.cycles}, {len(pipeline.rows)} instructions"
