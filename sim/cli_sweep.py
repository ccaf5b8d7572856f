"""What `warpwise sweep` prints."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TextIO

from .studies import Sweep, main_effects

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
            left = f", about {_duration(seconds)} to go"
        self._stream.write(f"{ERASE}{done} of {total} points{left}")
        if done == total:
            self._stream.write("\n")
        self._stream.flush()


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"


def document(frame: pd.DataFrame, plan: Sweep) -> dict[str, Any]:
    """For JSON; `effects` are those of a screening."""
    found = {"schema": SCHEMA, "points": int(frame["point"].nunique()), "rows": _records(frame)}
    if plan.screening:
        found["effects"] = _records(main_effects(frame, plan.screening.axes))
    return found


def _records(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def text(frame: pd.DataFrame, plan: Sweep) -> str:
    """The axes and the cycles of each point, the effects of a screening, then the errors."""
    axes = list(dict.fromkeys(axis for setting in plan.settings() for axis in setting))
    columns = ["input", "seed", *axes, "name", "cycles", "ipc_elapsed"]
    whole = frame[frame["error"].isna()]
    lines = [whole[[c for c in columns if c in whole]].to_string(index=False)] if len(whole) else []
    if plan.screening:
        effects = main_effects(frame, plan.screening.axes)
        for kernel, part in effects.groupby(["input", "name"], sort=False):
            ranked = part.sort_values("rank")[["factor", "effect", "effect_pct"]]
            lines.append(f"main effects on the execution cycles of {' '.join(map(str, kernel))}")
            lines.append(ranked.round(1).to_string(index=False))
    for row in frame[frame["error"].notna()].to_dict("records"):
        setting = " ".join(f"{axis}={row[axis]}" for axis in axes if row[axis] == row[axis])
        lines.append(f"failed: {row['input']} {setting}: {row['error'].splitlines()[0]}")
    return "\n".join(lines)
