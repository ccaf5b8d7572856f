"""Grids: stencils, filters, cellular automata, fractals."""

from __future__ import annotations

import numpy as np

from .application import Application, Array, Launch, Output, member

BLOCK = (16, 16)


def heights(random: np.random.Generator, *shape: int) -> Array:
    """A field of single-precision numbers."""
    return random.uniform(0, 1, shape).astype(np.float32)


def five_points(grid: Array) -> Array:
    """The five-point stencil of both 2D members; the edge stays zero."""
    wide, result = grid.astype(float), np.zeros_like(grid, float)
    around = wide[1:-1, :-2] + wide[1:-1, 2:] + wide[:-2, 1:-1] + wide[2:, 1:-1]
    result[1:-1, 1:-1] = 0.5 * wide[1:-1, 1:-1] + 0.125 * around
    return result


@member
def stencil_2d(random: np.random.Generator) -> Application:
    """Five-point stencil straight from global memory."""
    grid = heights(random, 60, 90)
    out = np.zeros_like(grid)
    launch = Launch("stencil_2d", (6, 4), BLOCK, (90, 60, grid, out))
    return Application((launch,), (Output(out, five_points(grid), 1e-6),))


@member
def stencil_2d_tiled(random: np.random.Generator) -> Application:
    """Five-point stencil on tiles in shared memory."""
    grid = heights(random, 66, 98)
    out = np.zeros_like(grid)
    launch = Launch("stencil_2d_tiled", (6, 4), BLOCK, (98, 66, grid, out))
    return Application((launch,), (Output(out, five_points(grid), 1e-6),))


@member
def stencil_3d(random: np.random.Generator) -> Application:
    """Seven-point stencil, each thread along z."""
    grid = heights(random, 16, 20, 34)
    out = np.zeros_like(grid)
    wide, expected = grid.astype(float), np.zeros(grid.shape)
    inner = slice(1, -1)
    around = sum(np.roll(wide, shift, axis) for axis in range(3) for shift in (-1, 1))
    expected[inner, inner, inner] = (0.4 * wide + 0.1 * around)[inner, inner, inner]
    launch = Launch("stencil_3d", (1, 3), (32, 8), (34, 20, 16, grid, out))
    return Application((launch,), (Output(out, expected, 1e-6),))


@member
def heat_chip(random: np.random.Generator) -> Application:
    """Temperature of a chip with power sources, four time steps."""
    power, start = heights(random, 50, 70), 40 + 10 * heights(random, 50, 70)
    fields = [start, np.zeros_like(start)]
    expected, ambient, steps = start.astype(float), 25.0, 4
    for _ in range(steps):
        edged = np.pad(expected, 1, mode="edge")
        around = edged[1:-1, :-2] + edged[1:-1, 2:] + edged[:-2, 1:-1] + edged[2:, 1:-1]
        flow = 0.1 * (around - 4 * expected) + 0.05 * power + 0.01 * (ambient - expected)
        expected = expected + flow
    launches = tuple(
        Launch("heat_chip", (5, 4), BLOCK, (70, 50, ambient, power, *fields[:: 1 - step % 2 * 2]))
        for step in range(steps)
    )
    return Application(launches, (Output(fields[0], expected, 1e-6),))


@member
def wave_2d(random: np.random.Generator) -> Application:
    """Wave equation on a torus in double precision."""
    n, c = 48, 0.2
    now, before = random.standard_normal((n, n)), random.standard_normal((n, n))
    around = sum(np.roll(now, shift, axis) for axis in range(2) for shift in (-1, 1))
    expected = 2 * now - before + c * (around - 4 * now)
    launch = Launch("wave_2d", (3, 3), BLOCK, (n, c, now, before))
    return Application((launch,), (Output(before, expected, 1e-14),))


@member
def game_of_life(random: np.random.Generator) -> Application:
    """Two generations of Conway's game of life on a torus."""
    cells = random.integers(0, 2, (48, 64), np.uint8)
    middle, out = np.zeros_like(cells), np.zeros_like(cells)

    def generation(cells: Array) -> Array:
        shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
        alive: Array = np.sum([np.roll(cells, shift, (0, 1)) for shift in shifts], axis=0)
        return np.asarray((alive == 3) | ((cells == 1) & (alive == 2)))

    launches = (
        Launch("game_of_life", (4, 3), BLOCK, (64, 48, cells, middle)),
        Launch("game_of_life", (4, 3), BLOCK, (64, 48, middle, out)),
    )
    return Application(launches, (Output(out, generation(generation(cells))),))


@member
def convolution_1d(random: np.random.Generator) -> Application:
    """A filter of 17 taps in constant memory over a signal."""
    signal = heights(random, 2000)
    out = np.zeros_like(signal)
    taps = 9 - np.abs(np.arange(-8, 9))
    launch = Launch("convolution_1d", 16, 128, (len(signal), signal, out))
    expected = np.convolve(signal.astype(float), taps, mode="same")
    return Application((launch,), (Output(out, expected, 1e-6),))


@member
def convolution_2d(random: np.random.Generator) -> Application:
    """A 5 x 5 filter over an image."""
    weights, image = heights(random, 5, 5), heights(random, 50, 70)
    out = np.zeros_like(image)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image.astype(float), 2), (5, 5))
    expected = np.einsum("yxji,ji->yx", windows, weights)
    launch = Launch("convolution_2d", (5, 4), BLOCK, (70, 50, weights, image, out))
    return Application((launch,), (Output(out, expected, 1e-6),))


@member
def median_filter(random: np.random.Generator) -> Application:
    """Median of three by three pixels by minima and maxima."""
    image = random.integers(0, 256, (50, 70), np.uint8)
    out = np.zeros_like(image)
    expected = np.zeros_like(image)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    expected[1:-1, 1:-1] = np.median(windows, (2, 3))
    launch = Launch("median_filter", (5, 4), BLOCK, (70, 50, image, out))
    return Application((launch,), (Output(out, expected),))


@member
def mandelbrot(random: np.random.Generator) -> Application:
    """Iterations until points leave a disc, in double precision."""
    width, height, limit = 64, 32, 60
    counts = np.full((height, width), -1, np.int32)
    cr = -2 + 2.5 * np.arange(width) / width
    ci = -1.25 + 2.5 * np.arange(height)[:, None] / height
    zr, zi = np.zeros((2, height, width))
    expected = np.zeros((height, width), int)
    for _ in range(limit):
        inside = zr**2 + zi**2 <= 4
        zr, zi = np.where(inside, (zr * zr - zi * zi + cr, 2 * zr * zi + ci), (zr, zi))
        expected += inside
    launch = Launch("mandelbrot", (4, 2), BLOCK, (width, height, limit, counts))
    return Application((launch,), (Output(counts, expected),))


@member
def path_grid(random: np.random.Generator) -> Application:
    """Cheapest way down a grid, four rows per launch."""
    width, rows = 600, 4
    cost = random.integers(0, 10, (2 * rows, width), np.int32)
    start = random.integers(0, 10, width, np.int32)
    best = start.astype(int)
    for row in cost:
        edged = np.pad(best, 1, constant_values=1 << 30)
        best = row + np.minimum(np.minimum(edged[:-2], edged[2:]), best)
    blocks = -(-width // (128 - 2 * rows))
    middle, out = np.zeros_like(start), np.zeros_like(start)
    launches = (
        Launch("path_grid", blocks, 128, (width, 0, rows, cost, start, middle)),
        Launch("path_grid", blocks, 128, (width, rows, rows, cost, middle, out)),
    )
    return Application(launches, (Output(out, best),))
