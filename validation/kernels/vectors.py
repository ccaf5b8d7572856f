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


@member
def stream_triad(random: np.random.Generator) -> Application:
    """a = b + s c, several elements per thread."""
    n, s = 16_000, 3.0
    b, c = (random.standard_normal(n).astype(np.float32) for _ in range(2))
    a = np.zeros_like(b)
    launch = Launch("stream_triad", 16, 256, (n, s, b, c, a))
    return Application((launch,), (Output(a, b + s * c, 1e-6),))


@member
def copy_vectors(random: np.random.Generator) -> Application:
    """A copy by 128-bit loads and stores, four in flight per thread."""
    source = random.standard_normal(8 * 128 * 4 * 4).astype(np.float32)
    copy = np.zeros_like(source)
    return Application((Launch("copy_vectors", 8, 128, (source, copy)),), (Output(copy, source),))


@member
def copy_bytes(random: np.random.Generator) -> Application:
    """A copy byte by byte."""
    source = random.integers(0, 256, 4000, np.uint8)
    copy = np.zeros_like(source)
    launch = Launch("copy_bytes", 16, 256, (len(source), source, copy))
    return Application((launch,), (Output(copy, source),))


@member
def strided_loads(random: np.random.Generator) -> Application:
    """Loads of neighbours 1, 2, 8 and 33 words apart, one launch each."""
    values = random.integers(-1000, 1000, 1 << 14, np.int32)
    launches, outputs = [], []
    for stride in (1, 2, 8, 33):
        sums = np.zeros(512, np.int32)
        places = np.arange(512)[:, None] * stride + np.arange(8)
        launches.append(Launch("strided_loads", 4, 128, (len(values), stride, values, sums)))
        outputs.append(Output(sums, values[places % len(values)].sum(1)))
    return Application(tuple(launches), tuple(outputs))


@member
def pointer_chase(random: np.random.Generator) -> Application:
    """One thread follows a random cycle of indices."""
    order = random.permutation(1024).astype(np.int32)
    following = np.zeros_like(order)
    following[order] = np.roll(order, -1)
    last = np.full(1, -1, np.int32)
    start = int(np.flatnonzero(order == 0)[0])
    steps = 300
    launch = Launch("pointer_chase", 1, 1, (steps, following, last))
    return Application((launch,), (Output(last, order[[(start + steps) % len(order)]]),))


@member
def bank_conflicts(random: np.random.Generator) -> Application:
    """Shared memory read with strides of 1, 2, 8 and 32 words, one launch each."""
    steps, words, lanes = 64, 1024, np.arange(128)
    launches, outputs = [], []
    for stride in (1, 2, 8, 32):
        sums = np.zeros(128, np.int32)
        places = (lanes[:, None] * stride + np.arange(steps)) % words
        launches.append(Launch("bank_conflicts", 1, 128, (stride, steps, sums)))
        outputs.append(Output(sums, 7 * places.sum(1)))
    return Application(tuple(launches), tuple(outputs))


@member
def stream_l2(random: np.random.Generator) -> Application:
    """An array of 128 KiB read four times past the L1."""
    passes, threads = 4, 16 * 128
    values = random.integers(-1000, 1000, (1 << 13, 4), np.int32)
    sums = np.zeros(threads, np.int32)
    expected = passes * values.sum(1).reshape(-1, threads).sum(0)
    launch = Launch("stream_l2", 16, 128, (len(values), passes, values, sums))
    return Application((launch,), (Output(sums, expected),))


@member
def stream_dram(random: np.random.Generator) -> Application:
    """An array of 1 MiB read once, 128 bits at a time."""
    threads = 32 * 256
    values = random.integers(0, 1 << 20, (1 << 16, 4), np.int32)
    sums = np.zeros(threads, np.int32)
    expected = np.bitwise_xor.reduce(values, 1).reshape(-1, threads).sum(0)
    launch = Launch("stream_dram", 32, 256, (len(values), values, sums))
    return Application((launch,), (Output(sums, expected),))


@member
def gather(random: np.random.Generator) -> Application:
    """Elements of a table in no order."""
    table = random.standard_normal(1 << 15).astype(np.float32)
    indices = random.integers(0, len(table), 4000, np.int32)
    out = np.zeros(4000, np.float32)
    launch = Launch("gather", 32, 128, (4000, indices, table, out))
    return Application((launch,), (Output(out, table[indices]),))


@member
def binary_search(random: np.random.Generator) -> Application:
    """Places of keys in a sorted table."""
    table = np.sort(random.integers(0, 100_000, 5000, np.int32))
    keys = random.integers(0, 100_000, 1000, np.int32)
    places = np.full(1000, -1, np.int32)
    launch = Launch("binary_search", 8, 128, (len(keys), len(table), keys, table, places))
    return Application((launch,), (Output(places, np.searchsorted(table, keys)),))
