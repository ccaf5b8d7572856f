"""Kernels of applications: physics, finance, text, hashes, networks, signals, search."""

from __future__ import annotations

import hashlib
import math
import zlib
from itertools import pairwise

import numpy as np

from .application import Application, Array, Launch, Output, member


def uniform(random: np.random.Generator, *shape: int, low: float = 0, high: float = 1) -> Array:
    """Evenly distributed numbers in single precision."""
    return random.uniform(low, high, shape).astype(np.float32)


def texts(random: np.random.Generator, count: int, length: int) -> Array:
    """Rows of random bytes."""
    return random.integers(0, 256, (count, length), np.uint8)


# Physics


@member
def nbody(random: np.random.Generator) -> Application:
    """Accelerations under gravity, all pairs of 256 bodies."""
    n, softening = 256, 0.01
    bodies, out = uniform(random, n, 4), np.ones((n, 4), np.float32)
    wide = bodies.astype(float)
    difference = wide[None, :, :3] - wide[:, None, :3]
    pull = wide[:, 3] / ((difference**2).sum(2) + softening) ** 1.5
    expected = np.pad((difference * pull[..., None]).sum(1), ((0, 0), (0, 1)))
    launch = Launch("nbody", 4, 64, (n, softening, bodies, out))
    return Application((launch,), (Output(out, expected, 1e-5),))


@member
def lennard_jones(random: np.random.Generator) -> Application:
    """Energies of atoms with lists of neighbours and a cutoff."""
    atoms, neighbours, cutoff = 300, 24, 9.0
    lattice = np.stack(np.meshgrid(*[np.arange(7)] * 3), -1).reshape(-1, 3)[:atoms]
    positions = np.zeros((atoms, 4), np.float32)
    positions[:, :3] = 1.2 * lattice + uniform(random, atoms, 3, high=0.1)
    offsets = random.integers(1, atoms, (neighbours, atoms), np.int32)
    partners = (np.arange(atoms, dtype=np.int32) + offsets) % atoms
    energies = np.zeros(atoms, np.float32)
    wide = positions.astype(float)
    square = ((wide[partners] - wide) ** 2).sum(2)
    terms = np.where(square < cutoff, square**-6 - square**-3.0, 0)
    launch = Launch(
        "lennard_jones", 3, 128, (atoms, neighbours, cutoff, positions, partners, energies)
    )
    return Application((launch,), (Output(energies, 4 * terms.sum(0), 1e-5),))


@member
def monte_carlo_pi(random: np.random.Generator) -> Application:
    """Points of a xorshift generator in a quarter circle."""
    threads, points = 512, 40
    seeds = random.integers(1, 1 << 32, threads, np.uint32)
    inside = np.zeros(threads, np.uint32)
    state, expected = seeds.copy(), np.zeros(threads, int)

    def coordinate() -> Array:
        nonlocal state
        state = state ^ (state << np.uint32(13))
        state = state ^ (state >> np.uint32(17))
        state = state ^ (state << np.uint32(5))
        return np.asarray(state >> np.uint32(16), np.int64)

    for _ in range(points):
        expected += coordinate() ** 2 + coordinate() ** 2 < 1 << 32
    launch = Launch("monte_carlo_pi", 4, 128, (points, seeds, inside))
    return Application((launch,), (Output(inside, expected),))


@member
def ray_spheres(random: np.random.Generator) -> Application:
    """Nearest hits of parallel rays with spheres."""
    width, count = 64, 20
    spheres = uniform(random, count, 4)
    spheres[:, 2] += 1
    spheres[:, 3] = 0.05 + 0.2 * spheres[:, 3]
    shade = np.zeros((32, width), np.float32)
    u = (np.arange(width) + 0.5) / width
    v = ((np.arange(32) + 0.5) / width)[:, None]
    x, y, z, radius = spheres.T.astype(float)[:, :, None, None]
    under_root = radius**2 - (u - x) ** 2 - (v - y) ** 2
    root = np.sqrt(np.maximum(under_root, 0))
    depth = np.where(under_root > 0, z - root, np.inf)
    best = depth.argmin(0)[None]
    hit = np.isfinite(depth).any(0)
    expected = np.where(hit, np.take_along_axis(root / radius, best, 0)[0], 0)
    launch = Launch("ray_spheres", (4, 2), (16, 16), (width, count, spheres, shade))
    return Application((launch,), (Output(shade, expected, 1e-4),))


# Finance


@member
def black_scholes(random: np.random.Generator) -> Application:
    """Prices of European options."""
    n, rate, volatility = 500, 0.02, 0.3
    spot = uniform(random, n, low=5, high=30)
    strike, years = uniform(random, n, low=5, high=30), uniform(random, n, low=0.25, high=5)
    call, put = np.zeros(n, np.float32), np.zeros(n, np.float32)
    s, k, t = (x.astype(float) for x in (spot, strike, years))
    d1 = (np.log(s / k) + (rate + volatility**2 / 2) * t) / (volatility * np.sqrt(t))
    d2 = d1 - volatility * np.sqrt(t)

    def normal(x: Array) -> Array:
        return np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])

    discounted = k * np.exp(-rate * t)
    launch = Launch("black_scholes", 4, 128, (n, rate, volatility, spot, strike, years, call, put))
    outputs = (
        Output(call, s * normal(d1) - discounted * normal(d2), 1e-6),
        Output(put, discounted * normal(-d2) - s * normal(-d1), 1e-6),
    )
    return Application((launch,), outputs)


@member
def binomial_option(random: np.random.Generator) -> Application:
    """American puts over a binomial tree, a block per option."""
    steps, options = 63, 8
    dt, rate, volatility = 1 / steps, 0.03, 0.3
    up = math.exp(volatility * math.sqrt(dt))
    weight = (math.exp(rate * dt) - 1 / up) / (up - 1 / up)
    discount = math.exp(-rate * dt)
    spot = uniform(random, options, low=80, high=120)
    strike, price = uniform(random, options, low=90, high=130), np.zeros(options, np.float32)
    s, k = spot.astype(float)[:, None], strike.astype(float)[:, None]
    values = np.maximum(k - s * up ** (2.0 * np.arange(steps + 1) - steps), 0)
    for step in range(steps - 1, -1, -1):
        later = discount * (weight * values[:, 1:] + (1 - weight) * values[:, :-1])
        values = np.maximum(later, k - s * up ** (2.0 * np.arange(step + 1) - step))
    launch = Launch("binomial_option", options, 64, (up, weight, discount, spot, strike, price))
    return Application((launch,), (Output(price, values[:, 0], 1e-5),))


# Text and hashes


@member
def string_search(random: np.random.Generator) -> Application:
    """Every place of a pattern in a text."""
    n, pattern = 3000, b"abcab"
    text = random.choice(np.frombuffer(b"abc", np.uint8), n)
    for place in (0, 1111, n - len(pattern)):
        text[place : place + len(pattern)] = list(pattern)
    found = np.full(n, 255, np.uint8)
    content = text.tobytes()
    last = n - len(pattern)
    expected = [content.startswith(pattern, i) if i <= last else 255 for i in range(n)]
    arguments = (n, len(pattern), text, np.frombuffer(pattern, np.uint8), found)
    launch = Launch("string_search", 24, 128, arguments)
    return Application((launch,), (Output(found, np.array(expected, np.uint8)),))


@member
def hash_fnv(random: np.random.Generator) -> Application:
    """FNV-1a of strings of different lengths."""
    n = 300
    starts = np.concatenate(([0], random.integers(0, 40, n).cumsum())).astype(np.int32)
    (text,) = texts(random, 1, starts[-1])
    hashes = np.zeros(n, np.uint64)

    def fnv(data: bytes) -> int:
        result = 0xCBF29CE484222325
        for byte in data:
            result = (result ^ byte) * 0x100000001B3 % (1 << 64)
        return result

    expected = [fnv(text[a:b].tobytes()) for a, b in pairwise(starts)]
    launch = Launch("hash_fnv", 3, 128, (n, starts, text, hashes))
    return Application((launch,), (Output(hashes, np.array(expected, np.uint64)),))


@member
def hash_murmur(random: np.random.Generator) -> Application:
    """MurmurHash3 of keys of four words."""
    n, seed = 800, 42
    keys, hashes = random.integers(0, 1 << 32, (n, 4), np.uint32), np.zeros(n, np.uint32)

    def rotate(x: Array, by: int) -> Array:
        return x << np.uint32(by) | x >> np.uint32(32 - by)

    h = np.full(n, seed, np.uint32)
    for word in keys.T:
        h = h ^ rotate(word * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
        h = rotate(h, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    h = h ^ np.uint32(16)
    h = (h ^ h >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    launch = Launch("hash_murmur", 7, 128, (n, seed, keys, hashes))
    return Application((launch,), (Output(hashes, h ^ h >> np.uint32(16)),))


def roots(exponent: int) -> Array:
    """Leading 32 bits of the fractions of square or cube roots of primes, as SHA-256 defines."""
    primes = [p for p in range(2, 312) if all(p % d for d in range(2, p))]
    scaled = [_integer_root(p << 32 * exponent, exponent) for p in primes]
    return np.array([root % (1 << 32) for root in scaled], np.uint32)


def _integer_root(number: int, exponent: int) -> int:
    low, high = 0, 1 << 64
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**exponent <= number else (low, middle)
    return low


@member
def sha256(random: np.random.Generator) -> Application:
    """SHA-256 of messages of 55 bytes, checked by hashlib."""
    n = 200
    messages = texts(random, n, 55)
    length = np.frombuffer((55 * 8).to_bytes(8, "big"), np.uint8)
    blocks = np.hstack((messages, np.full((n, 1), 0x80, np.uint8), np.tile(length, (n, 1))))
    digests = np.zeros((n, 32), np.uint8)
    content = b"".join(hashlib.sha256(message.tobytes()).digest() for message in messages)
    expected = np.frombuffer(content, np.uint8).reshape(n, 32)
    launch = Launch("sha256", 2, 128, (n, blocks, roots(3), roots(2)[:8], digests))
    return Application((launch,), (Output(digests, expected),))


@member
def crc32(random: np.random.Generator) -> Application:
    """CRC-32 through a table in shared memory, checked by zlib."""
    n, length = 200, 48
    messages, checksums = texts(random, n, length), np.zeros(n, np.uint32)
    expected = np.array([zlib.crc32(message.tobytes()) for message in messages], np.uint32)
    launch = Launch("crc32", 4, 64, (n, length, messages, checksums))
    return Application((launch,), (Output(checksums, expected),))


@member
def needleman_wunsch(random: np.random.Generator) -> Application:
    """Alignment scores of pairs of sequences along anti-diagonals."""
    pairs, n, match, mismatch, gap = 4, 32, 3, -2, -1
    left, right = random.integers(0, 4, (2, pairs, n), np.uint8)
    left, right = left.copy(), right.copy()
    scores = np.zeros((pairs, n, n), np.int32)
    table = np.zeros((pairs, n + 1, n + 1), int)
    table[:, 0], table[:, :, 0] = gap * np.arange(n + 1), gap * np.arange(n + 1)
    for i in range(n):
        for j in range(n):
            pair = table[:, i, j] + np.where(left[:, i] == right[:, j], match, mismatch)
            skip = np.maximum(table[:, i, j + 1], table[:, i + 1, j]) + gap
            table[:, i + 1, j + 1] = np.maximum(pair, skip)
    launch = Launch("needleman_wunsch", pairs, n, (match, mismatch, gap, left, right, scores))
    return Application((launch,), (Output(scores, table[:, 1:, 1:]),))


@member
def run_lengths(random: np.random.Generator) -> Application:
    """Lengths of runs of equal values."""
    values = np.repeat(*random.integers(1, 12, (2, 400), np.int32))
    lengths = np.zeros_like(values)
    ends = np.flatnonzero(np.append(np.diff(values), 1))
    expected = np.zeros_like(values)
    expected[ends] = np.diff(ends, prepend=-1)
    blocks = -(-len(values) // 128)
    launch = Launch("run_lengths", blocks, 128, (len(values), values, lengths))
    return Application((launch,), (Output(lengths, expected),))


# Networks and learning


def normalised(scores: Array) -> Array:
    """Softmax of the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


@member
def softmax(random: np.random.Generator) -> Application:
    """Softmax of rows, a warp for each."""
    scores = uniform(random, 40, 150, low=-5, high=5)
    out = np.zeros_like(scores)
    launch = Launch("softmax", 10, 128, (40, 150, scores, out))
    return Application((launch,), (Output(out, normalised(scores.astype(float)), 1e-6),))


@member
def layer_norm(random: np.random.Generator) -> Application:
    """Layer normalisation, a block per row."""
    rows, columns = 12, 300
    x = uniform(random, rows, columns, low=-1, high=3)
    scale, shift, out = uniform(random, columns), uniform(random, columns), np.zeros_like(x)
    wide = x.astype(float)
    centred = wide - wide.mean(1, keepdims=True)
    factors = 1 / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    launch = Launch("layer_norm", rows, 128, (columns, x, scale, shift, out))
    return Application((launch,), (Output(out, centred * factors * scale + shift, 1e-6),))


@member
def attention(random: np.random.Generator) -> Application:
    """One attention head with a running softmax, a thread per query."""
    n, width = 96, 16
    q, k, v = (uniform(random, n, width, low=-1, high=1) for _ in range(3))
    out, scale = np.zeros((n, width), np.float32), 0.25
    expected = normalised(scale * q.astype(float) @ k.T.astype(float)) @ v
    launch = Launch("attention", 3, 32, (n, scale, q, k, v, out))
    return Application((launch,), (Output(out, expected, 1e-6),))


@member
def perceptron(random: np.random.Generator) -> Application:
    """A dense layer with bias and GELU."""
    inputs, outputs, samples = 64, 100, 6
    weights, bias = uniform(random, inputs, outputs, low=-1), uniform(random, outputs)
    x, out = uniform(random, samples, inputs, low=-1), np.zeros((samples, outputs), np.float32)
    sums = bias + x.astype(float) @ weights
    erf = np.array([math.erf(v / math.sqrt(2)) for v in sums.flat]).reshape(sums.shape)
    launch = Launch("perceptron", (2, samples), 64, (inputs, outputs, weights, bias, x, out))
    return Application((launch,), (Output(out, sums / 2 * (1 + erf), 1e-6),))


@member
def kmeans_assign(random: np.random.Generator) -> Application:
    """Nearest centre of each point, and sizes of the clusters."""
    n, centres = 1000, 8
    points, centre = uniform(random, 4, n), uniform(random, centres, 4)
    nearest, sizes = np.full(n, -1, np.int32), np.zeros(centres, np.int32)
    difference = points.T.astype(float)[:, None] - centre
    expected = (difference**2).sum(2).argmin(1)
    launch = Launch("kmeans_assign", 8, 128, (n, centres, points, centre, nearest, sizes))
    counts = np.bincount(expected, minlength=centres)
    return Application((launch,), (Output(nearest, expected), Output(sizes, counts)))


@member
def nearest_neighbour(random: np.random.Generator) -> Application:
    """Nearest of 100 points for each query."""
    queries, points = uniform(random, 500, 2), uniform(random, 100, 2)
    distance, which = np.zeros(500, np.float32), np.full(500, -1, np.int32)
    squares = ((queries.astype(float)[:, None] - points) ** 2).sum(2)
    launch = Launch("nearest_neighbour", 4, 128, (500, 100, queries, points, distance, which))
    outputs = (Output(distance, np.sqrt(squares.min(1)), 1e-6), Output(which, squares.argmin(1)))
    return Application((launch,), outputs)


# Signals


@member
def fft_radix2(random: np.random.Generator) -> Application:
    """Complex FFT of 256 points per block."""
    signals = uniform(random, 4, 256, 2, low=-1)
    out = np.zeros_like(signals)
    spectrum = np.fft.fft(signals[..., 0].astype(float) + 1j * signals[..., 1])
    expected = np.stack((spectrum.real, spectrum.imag), -1)
    launch = Launch("fft_radix2", 4, 128, (signals, out))
    return Application((launch,), (Output(out, expected, 1e-6),))


@member
def walsh_hadamard(random: np.random.Generator) -> Application:
    """Walsh-Hadamard transform of 512 integers per block."""
    n = 512
    data = random.integers(-100, 100, (4, n), np.int32)
    i = np.arange(n)
    signs = 1 - 2 * (np.bitwise_count(i[:, None] & i) % 2).astype(np.int64)
    expected = data @ signs
    return Application((Launch("walsh_hadamard", 4, n // 2, (data,)),), (Output(data, expected),))


@member
def dct_8x8(random: np.random.Generator) -> Application:
    """Discrete cosine transform of 8 x 8 pixel blocks."""
    width, height = 64, 32
    image = uniform(random, height, width, low=-128, high=127)
    out, k = np.zeros_like(image), np.arange(8)
    basis = np.cos(np.pi / 8 * np.outer(k, k + 0.5)) / 2
    basis[0] /= math.sqrt(2)
    basis = basis.astype(np.float32)
    tiles = image.astype(float).reshape(4, 8, 8, 8).swapaxes(1, 2)
    expected = (basis @ tiles @ basis.T.astype(float)).swapaxes(1, 2).reshape(height, width)
    launch = Launch("dct_8x8", (8, 4), (8, 8), (width, basis, image, out))
    return Application((launch,), (Output(out, expected, 1e-6),))


# Search and synchronisation


@member
def n_queens(random: np.random.Generator) -> Application:
    """Solutions of the queens problem by backtracking: 92 on a chess board."""
    solutions = np.zeros(1, np.int32)
    launch = Launch("n_queens", 1, 64, (8, solutions))
    return Application((launch,), (Output(solutions, np.array([92])),))


@member
def spin_lock(random: np.random.Generator) -> Application:
    """A counter under a lock on which the blocks spin."""
    blocks, rounds = 6, 3
    lock, counter = np.zeros(1, np.int32), np.zeros(1, np.int32)
    launch = Launch("spin_lock", blocks, 32, (rounds, lock, counter))
    expected = rounds * sum(range(1, blocks + 1))
    return Application((launch,), (Output(counter, np.array([expected])),))
