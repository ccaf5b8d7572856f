"""Graphs in CSR form: searches, paths, ranks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .application import Application, Array, Launch, Output, member

FAR = 1 << 30  # a distance that no path has


@dataclass(frozen=True)
class Graph:
    """Directed edges sorted by source; those of node v are `targets[starts[v]:starts[v + 1]]`."""

    starts: Array
    targets: Array

    @property
    def nodes(self) -> int:
        return len(self.starts) - 1

    @property
    def sources(self) -> Array:
        """Source of each edge."""
        return np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(self.starts))

    def levels(self, root: int) -> Array:
        """Distance in edges from a root; -1 for nodes that cannot be reached."""
        levels = np.full(self.nodes, -1, np.int32)
        levels[root], level = 0, 0
        while True:
            reached = self.targets[levels[self.sources] == level]
            fresh = np.unique(reached[levels[reached] < 0])
            if not len(fresh):
                return levels
            level += 1
            levels[fresh] = level


def graph(random: np.random.Generator, nodes: int, edges: int, upward: bool = False) -> Graph:
    """Distinct random edges, a few nodes with many; `upward` keeps those to larger numbers."""
    ends = (random.power(0.7, (edges, 2)) * nodes).astype(np.int64)
    ends = ends[ends[:, 0] < ends[:, 1]] if upward else ends[ends[:, 0] != ends[:, 1]]
    sources, targets = np.unique(ends, axis=0).T
    starts = np.searchsorted(sources, np.arange(nodes + 1))
    return Graph(starts.astype(np.int32), targets.astype(np.int32))


@member
def bfs_level(random: np.random.Generator) -> Application:
    """Breadth-first search, one launch per level, a thread for every node."""
    net, root = graph(random, 800, 2000), 3
    expected = net.levels(root)
    levels = np.full(net.nodes, -1, np.int32)
    levels[root] = 0
    launches = tuple(
        Launch("bfs_level", 7, 128, (net.nodes, level, net.starts, net.targets, levels))
        for level in range(expected.max())
    )
    return Application(launches, (Output(levels, expected),))


@member
def bfs_queue(random: np.random.Generator) -> Application:
    """Breadth-first search with queues that compare-and-swap fills."""
    net, root = graph(random, 800, 2000), 3
    expected = net.levels(root)
    levels = np.full(net.nodes, -1, np.int32)
    levels[root] = 0
    queues = [np.zeros(net.nodes, np.int32) for _ in range(expected.max() + 1)]
    sizes = [np.zeros(1, np.int32) for _ in queues]
    queues[0][0], sizes[0][0] = root, 1
    pairs = list(zip(queues, sizes, strict=True))
    launches = tuple(
        Launch("bfs_queue", 7, 128, (level, net.starts, net.targets, levels, *before, *after))
        for level, (before, after) in enumerate(pairwise(pairs))
    )
    widths = np.bincount(expected[expected >= 0])
    found = tuple(Output(sizes[k], widths[k : k + 1]) for k in range(1, len(sizes)))
    return Application(launches, (Output(levels, expected), *found))


@member
def shortest_paths(random: np.random.Generator) -> Application:
    """Relaxation of all edges in rounds, until distances are shortest."""
    net = graph(random, 300, 1500)
    weights = random.integers(1, 20, len(net.targets), np.int32)
    sources = net.sources
    distances = np.full(net.nodes, FAR, np.int32)
    distances[3] = 0
    expected, rounds = distances.copy(), 0
    while True:
        before = expected.copy()
        np.minimum.at(expected, net.targets, before[sources] + weights)
        if np.array_equal(before, expected):
            break
        rounds += 1
    blocks = -(-len(weights) // 128)
    arguments = (len(weights), sources, net.targets, weights, distances)
    launches = (Launch("shortest_paths", blocks, 128, arguments),) * rounds
    return Application(launches, (Output(distances, expected),))


@member
def page_rank(random: np.random.Generator) -> Application:
    """Two iterations of PageRank over incoming edges."""
    net, damping = graph(random, 600, 4000), 0.85
    degrees = np.bincount(net.targets, minlength=net.nodes).astype(np.int32)  # edges are reversed
    ranks = [np.full(net.nodes, 1 / net.nodes, np.float32)]
    ranks += [np.zeros(net.nodes, np.float32) for _ in range(2)]
    expected = ranks[0].astype(float)
    for _ in range(2):
        shares = expected[net.targets] / degrees[net.targets]
        sums = np.bincount(net.sources, shares, net.nodes)
        expected = (1 - damping) / net.nodes + damping * sums
    launches = tuple(
        Launch("page_rank", 5, 128, (net.nodes, damping, net.starts, net.targets, degrees, a, b))
        for a, b in pairwise(ranks)
    )
    return Application(launches, (Output(ranks[-1], expected, 1e-6),))


@member
def triangle_count(random: np.random.Generator) -> Application:
    """Triangles of a graph by intersecting neighbours."""
    net = graph(random, 150, 900, upward=True)
    adjacent = np.zeros((net.nodes, net.nodes), np.int64)
    adjacent[net.sources, net.targets] = 1
    triangles = np.zeros(1, np.uint32)
    launch = Launch("triangle_count", 3, 64, (net.nodes, net.starts, net.targets, triangles))
    expected = np.array([((adjacent @ adjacent) * adjacent).sum()])
    return Application((launch,), (Output(triangles, expected),))
