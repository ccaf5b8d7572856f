"""Studies: many runs, one table."""

from __future__ import annotations

from .sweep import Sweep, points, read, sweep

__all__ = ["Sweep", "points", "read", "sweep"]
