"""Matrices, dense and sparse."""

from __future__ import annotations

import numpy as np

from .application import Application, Array, Launch, Output, member


def normal(random: np.random.Generator, *shape: int) -> Array:
    """Normally distributed numbers in single precision."""
    return random.standard_normal(shape).astype(np.float32)


def square_product(
    random: np.random.Generator,
    kernel: str,
    n: int,
    grid: tuple[int, int],
    block: int | tuple[int, int],
) -> Application:
    """A product of single-precision matrices with `n` rows and columns."""
    a, b, c = normal(random, n, n), normal(random, n, n), np.zeros((n, n), np.float32)
    launch = Launch(kernel, grid, block, (n, a, b, c))
    return Application((launch,), (Output(c, a.astype(float) @ b, 1e-6),))


@member
def sgemm_tiled(random: np.random.Generator) -> Application:
    """Matrix product with tiles in shared memory."""
    return square_product(random, "sgemm_tiled", 64, (4, 4), (16, 16))


@member
def transpose_tiled(random: np.random.Generator) -> Application:
    """Transpose through padded shared memory."""
    matrix, result = normal(random, 96, 64), np.zeros((64, 96), np.float32)
    launch = Launch("transpose_tiled", (2, 3), (32, 8), (64, 96, matrix, result))
    return Application((launch,), (Output(result, matrix.T),))


@member
def gemm_naive(random: np.random.Generator) -> Application:
    """Matrix product straight from global memory, of sizes that fill no block."""
    m, n, k = 50, 70, 40
    a, b, c = normal(random, m, k), normal(random, k, n), np.zeros((m, n), np.float32)
    launch = Launch("gemm_naive", (5, 4), (16, 16), (m, n, k, a, b, c))
    return Application((launch,), (Output(c, a.astype(float) @ b, 1e-6),))


@member
def sgemm_registers(random: np.random.Generator) -> Application:
    """Matrix product with 4 x 4 results per thread in registers."""
    return square_product(random, "sgemm_registers", 128, (2, 2), 256)


@member
def hgemm_tensor(random: np.random.Generator) -> Application:
    """Matrix product of halves on tensor cores, with sums in single precision."""
    n = 128
    a, b = (normal(random, n, n).astype(np.float16) for _ in "ab")
    c = np.zeros((n, n), np.float32)
    launch = Launch("hgemm_tensor", (2, 2), 128, (n, a, b, c))
    return Application((launch,), (Output(c, a.astype(float) @ b.astype(float), 1e-6),))


@member
def sgemm_outer(random: np.random.Generator) -> Application:
    """Matrix product as in libraries: 8 x 8 results per thread, tiles loaded a step ahead."""
    return square_product(random, "sgemm_outer", 256, (2, 2), 256)


@member
def dgemm_tiled(random: np.random.Generator) -> Application:
    """Matrix product in double precision."""
    n = 48
    a, b, c = random.standard_normal((n, n)), random.standard_normal((n, n)), np.zeros((n, n))
    launch = Launch("dgemm_tiled", (3, 3), (16, 16), (n, a, b, c))
    return Application((launch,), (Output(c, a @ b, 1e-14),))


@member
def gemv(random: np.random.Generator) -> Application:
    """Matrix times vector, one warp per row."""
    a, x, y = normal(random, 100, 150), normal(random, 150), np.zeros(100, np.float32)
    launch = Launch("gemv", 25, 128, (100, 150, a, x, y))
    return Application((launch,), (Output(y, a.astype(float) @ x, 1e-6),))


@member
def transpose_naive(random: np.random.Generator) -> Application:
    """Transpose with writes a column apart."""
    matrix, result = normal(random, 90, 70), np.zeros((70, 90), np.float32)
    launch = Launch("transpose_naive", (3, 12), (32, 8), (70, 90, matrix, result))
    return Application((launch,), (Output(result, matrix.T),))


def sparse(random: np.random.Generator, rows: int, columns: int) -> tuple[Array, Array, Array]:
    """A matrix in CSR form whose rows have between none and forty elements, most of them few."""
    lengths = np.minimum(random.geometric(0.12, rows) - 1, 40)
    starts = np.concatenate(([0], lengths.cumsum())).astype(np.int32)
    places = [np.sort(random.choice(columns, length, replace=False)) for length in lengths]
    return starts, np.concatenate(places).astype(np.int32), normal(random, starts[-1])


def sparse_product(starts: Array, columns: Array, values: Array, x: Array) -> Array:
    """What both sparse products give."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.bincount(rows, values.astype(float) * x[columns], len(starts) - 1)


@member
def spmv_rows(random: np.random.Generator) -> Application:
    """Sparse matrix times vector, one thread per row."""
    starts, columns, values = sparse(random, 700, 500)
    x, y = normal(random, 500), np.zeros(700, np.float32)
    launch = Launch("spmv_rows", 6, 128, (700, starts, columns, values, x, y))
    expected = sparse_product(starts, columns, values, x)
    return Application((launch,), (Output(y, expected, 1e-6),))


@member
def spmv_warps(random: np.random.Generator) -> Application:
    """Sparse matrix times vector, one warp per row."""
    starts, columns, values = sparse(random, 300, 500)
    x, y = normal(random, 500), np.zeros(300, np.float32)
    launch = Launch("spmv_warps", 75, 128, (300, starts, columns, values, x, y))
    expected = sparse_product(starts, columns, values, x)
    return Application((launch,), (Output(y, expected, 1e-6),))


def dominant(random: np.random.Generator, n: int) -> Array:
    """A matrix that can be decomposed without pivoting."""
    return normal(random, n, n) + 2 * n * np.eye(n, dtype=np.float32)


def lu(matrix: Array, steps: int) -> Array:
    """The first columns of a decomposition in place, L below the diagonal of U."""
    a = matrix.astype(float)
    for k in range(steps):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return a


@member
def gaussian_step(random: np.random.Generator) -> Application:
    """Three columns of a Gaussian elimination, two launches each."""
    n, steps = 48, 3
    a = dominant(random, n)
    expected = lu(a, steps)
    launches = [
        launch
        for k in range(steps)
        for launch in (
            Launch("multipliers", 1, 64, (n, k, a)),
            Launch("eliminate", (3, 3), (16, 16), (n, k, a)),
        )
    ]
    return Application(tuple(launches), (Output(a, expected, 1e-6),))


@member
def lu_block(random: np.random.Generator) -> Application:
    """LU decomposition of 32 x 32 blocks, one warp each."""
    matrices = np.stack([dominant(random, 32) for _ in range(4)])
    expected = np.stack([lu(matrix, 31) for matrix in matrices])
    return Application(
        (Launch("lu_block", 4, 32, (matrices,)),), (Output(matrices, expected, 1e-6),)
    )


@member
def tridiagonal(random: np.random.Generator) -> Application:
    """Tridiagonal systems by parallel cyclic reduction."""
    systems, n = 4, 128
    lower, upper, right = (normal(random, systems, n) for _ in range(3))
    diagonal = 6 + normal(random, systems, n)
    lower[:, 0] = upper[:, -1] = 0
    x = np.zeros((systems, n), np.float32)
    matrices = np.zeros((systems, n, n))
    i = np.arange(n)
    matrices[:, i, i] = diagonal
    matrices[:, i[1:], i[:-1]] = lower[:, 1:]
    matrices[:, i[:-1], i[1:]] = upper[:, :-1]
    expected = np.linalg.solve(matrices, right.astype(float)[..., None])[..., 0]
    launch = Launch("tridiagonal", systems, n, (lower, diagonal, upper, right, x))
    return Application((launch,), (Output(x, expected, 1e-5),))
