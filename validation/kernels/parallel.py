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


@member
def reduce_tree(random: np.random.Generator) -> Application:
    """Sum of each block by a tree in shared memory, exact because the tree is known."""
    values = random.standard_normal(4000).astype(np.float32)
    sums = np.zeros(16, np.float32)
    tree = np.zeros((16, 256), np.float32)
    tree.reshape(-1)[: len(values)] = values
    while tree.shape[1] > 1:
        half = tree.shape[1] // 2
        tree = tree[:, :half] + tree[:, half:]
    launch = Launch("reduce_tree", 16, 256, (len(values), values, sums))
    return Application((launch,), (Output(sums, tree[:, 0]),))


@member
def reduce_last_block(random: np.random.Generator) -> Application:
    """Largest element in one launch: the last block to finish reduces for all."""
    values = random.integers(-100_000, 100_000, 5000, np.int32)
    found, finished = np.zeros(12, np.int32), np.zeros(1, np.uint32)
    result = np.zeros(1, np.int32)
    arguments = (len(values), values, found, finished, result)
    launch = Launch("reduce_last_block", 12, 128, arguments)
    outputs = (Output(result, values.max(keepdims=True)), Output(finished, np.array([12])))
    return Application((launch,), outputs)


@member
def dot_product(random: np.random.Generator) -> Application:
    """Inner product with one float atomic per warp."""
    x, y = (random.uniform(0, 1, 6000).astype(np.float32) for _ in range(2))
    result = np.zeros(1, np.float32)
    launch = Launch("dot_product", 8, 128, (len(x), x, y, result))
    return Application((launch,), (Output(result, np.array([x.astype(float) @ y]), 1e-6),))


@member
def scan_three_kernels(random: np.random.Generator) -> Application:
    """Prefix sums over blocks in three launches."""
    values = random.integers(-100, 100, 5000, np.int32)
    n, blocks = len(values), 20
    out, totals = np.zeros(n, np.int32), np.zeros(blocks, np.int32)
    launches = (
        Launch("scan_blocks", blocks, 256, (n, values, out, totals)),
        Launch("scan_totals", 1, 32, (blocks, totals)),
        Launch("add_totals", blocks, 256, (n, totals, out)),
    )
    return Application(launches, (Output(out, values.cumsum()),))


@member
def scan_blelloch(random: np.random.Generator) -> Application:
    """Exclusive prefix sums of each block, up and down a tree."""
    values = random.integers(-100, 100, (4, 512), np.int32)
    out = np.zeros_like(values)
    launch = Launch("scan_blelloch", 4, 256, (values, out), shared=512 * 4)
    return Application((launch,), (Output(out, values.cumsum(1) - values),))


@member
def bitonic_sort(random: np.random.Generator) -> Application:
    """Each block sorts 256 keys by a bitonic network."""
    keys = random.integers(0, 1 << 32, (4, 256), np.uint32)
    expected = np.sort(keys, 1)
    return Application((Launch("bitonic_sort", 4, 256, (keys,)),), (Output(keys, expected),))


@member
def radix_pass(random: np.random.Generator) -> Application:
    """One stable pass of a radix sort by four bits: count, scan, scatter."""
    blocks, shift = 16, 8
    keys = random.integers(0, 1 << 32, blocks * 128, np.uint32)
    counts, out = np.zeros(16 * blocks, np.int32), np.zeros_like(keys)
    launches = (
        Launch("count_digits", blocks, 128, (shift, keys, counts)),
        Launch("scan_counts", 1, 256, (len(counts), counts)),
        Launch("scatter", blocks, 128, (shift, keys, counts, out)),
    )
    order = np.argsort(keys >> np.uint32(shift) & np.uint32(15), kind="stable")
    return Application(launches, (Output(out, keys[order]),))


@member
def histogram_global(random: np.random.Generator) -> Application:
    """Counts of 64 values, with atomics on global memory."""
    values = random.binomial(63, 0.5, 5000).astype(np.int32)
    counts = np.zeros(64, np.int32)
    launch = Launch("histogram_global", 40, 128, (len(values), values, counts))
    return Application((launch,), (Output(counts, np.bincount(values, minlength=64)),))


@member
def compaction(random: np.random.Generator) -> Application:
    """Keeps positive elements, by a ballot and one atomic per warp."""
    values = random.integers(-100, 100, 3000, np.int32)
    size, out = np.zeros(1, np.int32), np.zeros_like(values)
    kept = values[values > 0]
    launch = Launch("compaction", 24, 128, (len(values), values, size, out))
    in_order = Output(out, np.pad(kept, (0, len(values) - len(kept))), any_order=True)
    return Application((launch,), (Output(size, np.array([len(kept)])), in_order))


@member
def hash_table(random: np.random.Generator) -> Application:
    """Inserts keys into a table by compare-and-swap."""
    keys = random.integers(1, 3000, 1500, np.uint32)
    table = np.zeros(2048, np.uint32)
    inserted = np.unique(keys)
    expected = np.pad(inserted, (0, len(table) - len(inserted)))
    launch = Launch("hash_table", 12, 128, (len(keys), len(table), keys, table))
    return Application((launch,), (Output(table, expected, any_order=True),))


@member
def merge_sorted(random: np.random.Generator) -> Application:
    """Merges two sorted arrays by binary searches."""
    a, b = (np.sort(random.integers(0, 3000, 1000, np.int32)) for _ in range(2))
    out = np.full(2000, -1, np.int32)
    launch = Launch("merge_sorted", 8, 128, (len(a), a, b, out))
    return Application((launch,), (Output(out, np.sort(np.concatenate((a, b)))),))
