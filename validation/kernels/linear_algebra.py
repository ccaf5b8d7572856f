"""Matrices, dense and sparse."""

from __future__ import annotations

import numpy as np

from .application import Application, Launch, Output, member


@member
def sgemm_tiled(random: np.random.Generator) -> Application:
    """Matrix product with tiles in shared memory."""
    n = 64
    a, b = (random.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    c = np.zeros((n, n), np.float32)
    launch = Launch("sgemm_tiled", (4, 4), (16, 16), (n, a, b, c))
    return Application((launch,), (Output(c, a.astype(float) @ b, 1e-6),))


@member
def transpose_tiled(random: np.random.Generator) -> Application:
    """Transpose through padded shared memory."""
    matrix = random.standard_normal((96, 64)).astype(np.float32)
    result = np.zeros((64, 96), np.float32)
    launch = Launch("transpose_tiled", (2, 3), (32, 8), (64, 96, matrix, result))
    return Application((launch,), (Output(result, matrix.T),))
