"""Vectors: streams through memory, and ways to miss caches and banks."""

from __future__ import annotations

import numpy as np

from .application import Application, Launch, Output, member


@member
def saxpy(random: np.random.Generator) -> Application:
    """y = a x + y, one element per thread, with a last block that is not full."""
    n, a = 8000, 1.5
    x, y = (random.standard_normal(n).astype(np.float32) for _ in range(2))
    launch = Launch("saxpy", 63, 128, (n, a, x, y))
    return Application((launch,), (Output(y, a * x + y, 1e-6),))
