"""Studies: many runs, one table."""

from __future__ import annotations

from .designs import main_effects
from .sweep import Sweep, points, read, sweep

__all__ = ["Sweep", "main_effects", "points", "read", "sweep"]
