"""Parallel primitives: reductions, scans, sorts, histograms."""

from __future__ import annotations

import numpy as np

from .application import Application, Launch, Output, member


@member
def reduce_shuffle(random: np.random.Generator) -> Application:
    """Sum by warp shuffles, shared memory and one atomic per block."""
    values = random.integers(-1000, 1000, 10_000, np.int32)
    total = np.zeros(1, np.int32)
    launch = Launch("reduce_shuffle", 8, 256, (len(values), values, total))
    return Application((launch,), (Output(total, np.array([values.sum()])),))


@member
def histogram_shared(random: np.random.Generator) -> Application:
    """Counts of byte values, with atomics on shared memory."""
    values = random.binomial(255, 0.3, 10_000).astype(np.uint8)
    counts = np.zeros(256, np.uint32)
    launch = Launch("histogram_shared", 8, 256, (len(values), values, counts))
    return Application((launch,), (Output(counts, np.bincount(values, minlength=256)),))
