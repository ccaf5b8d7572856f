"""What `warpwise sweep` prints."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
ERASE = "\r\033[K"


class Line:
    """Points done and time to go, on a terminal; nothing elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = time.monotonic()
        self._first: int | None = None  # points that were done already

    def __call__(self, done: int, total: int) -> None:
        if not self._stream.isatty():
            return
        if self._first is None:
            self._first = done
        ran = done - self._first
        left = ""
        if ran:
            seconds = (time.monotonic() - self._began) / ran * (total - done)
            left = f", about {seconds:.0f} s to go"
        self._stream.write(f"{ERASE}{done} of {total} points{left}")
        if done == total:
            self._stream.write("\n")


def document(frame: pd.DataFrame) -> dict[str, Any]:
    """For JSON."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {"schema": SCHEMA, "points": int(frame["point"].nunique()), "rows": rows}


def text(frame: pd.DataFrame, axes: list[str]) -> str:
    """The axes and the cycles of each point, then the errors."""
    columns = ["input", *axes, "name", "cycles", "ipc_elapsed"]
    whole = frame[frame["error"].isna()]
    lines = [whole[[c for c in columns if c in whole]].to_string(index=False)] if len(whole) else []
    for row in frame[frame["error"].notna()].to_dict("records"):
        setting = " ".join(f"{axis}={row[axis]}" for axis in axes)
        lines.append(f"failed: {row['input']} {setting}: {row['error'].splitlines()[0]}")
    return "\n".join(lines)
