"""Arithmetic and control flow: pipes, library functions, divergence, calls."""

from __future__ import annotations

import math

import numpy as np

from .application import Application, Launch, Output, member


@member
def ffma_chain(random: np.random.Generator) -> Application:
    """Dependent FFMAs, one chain per thread: bound by latency."""
    steps, a, b = 1024, 1 - 2**-9, 1.25
    x = random.standard_normal(256).astype(np.float32)
    limit = b / (1 - a)
    expected = limit + (x.astype(float) - limit) * a**steps
    return Application(
        (Launch("ffma_chain", 2, 128, (steps, a, b, x)),), (Output(x, expected, 1e-5),)
    )


@member
def ffma_throughput(random: np.random.Generator) -> Application:
    """Eight independent chains of FFMAs per thread: bound by the rate of the pipe."""
    steps, a, b = 256, 1 - 2**-8, 0.5
    x = random.standard_normal(512).astype(np.float32)
    limit = b / (1 - a)
    chains = x.astype(float) + np.arange(8)[:, None]
    expected = (limit + (chains - limit) * a**steps).sum(0)
    return Application(
        (Launch("ffma_throughput", 2, 256, (steps, a, b, x)),), (Output(x, expected, 1e-5),)
    )


@member
def flops_mix(random: np.random.Generator) -> Application:
    """FADD, FMUL and FFMA on vectors of four, as peak-FLOPS benchmarks mix them."""
    steps, n = 128, 512
    a, b = (random.uniform(0.5, 1.5, (n, 4)).astype(np.float32) for _ in range(2))
    p, q = a.T.astype(float), b.T.astype(float)
    for _ in range(steps):
        q = np.array([q[0] * 0.5 + p[0], q[1] * 0.5 + p[1], q[2] + p[2], q[3] * p[3]])
        p = np.array([p[0] * 0.75, p[1] + 0.125, p[2] * 0.5 + 0.25, p[3] * 0.5 + 0.5])
    launch = Launch("flops_mix", 2, 256, (steps, a, b))
    return Application((launch,), (Output(b, (p + q).T, 1e-6),))


@member
def integer_mix(random: np.random.Generator) -> Application:
    """Multiply, add, shift, rotate and logic on 32-bit integers."""
    steps = 64
    x = random.integers(0, 1 << 32, 512, np.uint32)
    a, b = x.copy(), np.arange(512, dtype=np.uint32)
    for step in range(steps):
        a = a * np.uint32(1664525) + np.uint32(1013904223)
        b = b ^ (a >> np.uint32(7))
        b = (b << np.uint32(13)) | (b >> np.uint32(19))
        a = a + ((a & b) | np.uint32(step))
        b = b + np.maximum(a, b)
    return Application((Launch("integer_mix", 2, 256, (steps, x)),), (Output(x, a ^ b),))


@member
def integer_division(random: np.random.Generator) -> Application:
    """Quotients and remainders by unknown divisors, 32 and 64 bits wide."""
    n = 500
    a = random.integers(-(1 << 31), 1 << 31, n, np.int32)
    b = random.integers(1, 5000, n, np.int32) * random.choice([-1, 1], n).astype(np.int32)
    c = random.integers(-(1 << 62), 1 << 62, n, np.int64)
    quotients, remainders, wide = np.zeros_like(a), np.zeros_like(a), np.zeros_like(c)
    # C rounds towards zero, Python down
    expected = np.sign(a) * np.sign(b) * (np.abs(a.astype(np.int64)) // np.abs(b))
    expected_wide = np.sign(c) * np.sign(b) * (np.abs(c) // np.abs(b))
    launch = Launch("integer_division", 4, 128, (n, a, b, c, quotients, remainders, wide))
    outputs = (
        Output(quotients, expected),
        Output(remainders, a - expected * b),
        Output(wide, expected_wide),
    )
    return Application((launch,), outputs)


@member
def wide_product(random: np.random.Generator) -> Application:
    """Squares of 128-bit numbers from 32-bit limbs with carries."""
    n = 300
    limbs = random.integers(0, 1 << 32, (n, 4), np.uint32)
    squares = np.zeros((n, 8), np.uint32)
    numbers = (int.from_bytes(row.tobytes(), "little") for row in limbs)
    content = b"".join((number**2).to_bytes(32, "little") for number in numbers)
    expected = np.frombuffer(content, np.uint32).reshape(n, 8)
    launch = Launch("wide_product", 3, 128, (n, limbs, squares))
    return Application((launch,), (Output(squares, expected),))


@member
def bit_counts(random: np.random.Generator) -> Application:
    """Ones, leading zeros, reversal and byte order of words."""
    n = 500
    x = random.integers(0, 1 << 32, n, np.uint32) >> random.integers(0, 32, n, np.uint32)
    ones, zeros = np.zeros(n, np.int32), np.zeros(n, np.int32)
    reverse, swapped = np.zeros_like(x), np.zeros_like(x)
    expected = np.array([int(f"{word:032b}"[::-1], 2) for word in x.tolist()])
    launch = Launch("bit_counts", 4, 128, (n, x, ones, zeros, reverse, swapped))
    outputs = (
        Output(ones, np.bitwise_count(x)),
        Output(zeros, np.array([32 - word.bit_length() for word in x.tolist()])),
        Output(reverse, expected),
        Output(swapped, x.byteswap()),
    )
    return Application((launch,), outputs)


@member
def double_polynomial(random: np.random.Generator) -> Application:
    """Horner's rule in double precision, coefficients in constant memory."""
    x = random.uniform(-1.5, 1.5, 700)
    y = np.zeros_like(x)
    coefficients = (1.0, -0.5, 0.25, -0.125, 0.75, 1.5, -2.0, 0.3, 0.7, -0.9, 1.1, -1.3)
    launch = Launch("double_polynomial", 6, 128, (len(x), x, y))
    return Application((launch,), (Output(y, np.polyval(coefficients, x), 1e-14),))


@member
def double_division(random: np.random.Generator) -> Application:
    """Quotients and square roots in double precision, correctly rounded."""
    a, b = random.standard_normal(500), random.uniform(1e-3, 1e3, 500)
    quotient, root = np.zeros_like(a), np.zeros_like(a)
    launch = Launch("double_division", 4, 128, (len(a), a, b, quotient, root))
    return Application((launch,), (Output(quotient, a / b), Output(root, np.sqrt(b))))


@member
def special_functions(random: np.random.Generator) -> Application:
    """Fast sine, exponential, logarithm, reciprocal and reciprocal root."""
    x = random.uniform(0.1, 3.0, 1000).astype(np.float32)
    y = np.zeros_like(x)
    v = x.astype(float)
    expected = np.sin(v) + np.exp(-v) + np.log(v) + 1 / v + 1 / np.sqrt(v)
    launch = Launch("special_functions", 8, 128, (len(x), x, y))
    return Application((launch,), (Output(y, expected, 1e-6),))


@member
def precise_functions(random: np.random.Generator) -> Application:
    """Sine, power, error function and arc tangent from the math library."""
    x = random.uniform(0.1, 3.0, 500).astype(np.float32)
    y = np.zeros_like(x)
    v = x.astype(float)
    erf = np.array([math.erf(value) for value in v])
    expected = np.sin(v) + v ** np.float32(1.7) + erf + np.arctan2(v, 2)
    launch = Launch("precise_functions", 4, 128, (len(x), x, y))
    return Application((launch,), (Output(y, expected, 1e-6),))


@member
def divergent_switch(random: np.random.Generator) -> Application:
    """Lanes of a warp take eight different ways."""
    n = 1000
    kinds = random.integers(0, 8, n, np.int32)
    x = random.uniform(0.1, 1.0, n).astype(np.float32)
    y = np.zeros_like(x)

    def squared(v: float, times: int) -> float:
        return squared(v * v - 0.5, times - 1) if times else v

    def way(kind: int, v: float) -> float:
        match kind:
            case 0 | 1:
                return squared(v, 4 + kind)
            case 2:
                return math.sqrt(v)
            case 3:
                return 1 / v
            case 4 | 5:
                return 2 + (v - 2) * 0.5**kind
            case 6:
                return v**3
            case _:
                return min(v, 0.25)

    expected = np.array([way(k, v) for k, v in zip(kinds.tolist(), x.tolist(), strict=True)])
    launch = Launch("divergent_switch", 8, 128, (n, kinds, x, y))
    return Application((launch,), (Output(y, expected, 1e-6),))


@member
def recursion(random: np.random.Generator) -> Application:
    """Fibonacci numbers by recursion: calls, returns and a stack."""
    out = np.zeros(64, np.int32)
    fibonacci = np.array([0, 1, 1, 2, 3, 5, 8, 13, 21])
    return Application(
        (Launch("recursion", 1, 64, (out,)),), (Output(out, fibonacci[np.arange(64) % 9]),)
    )


@member
def local_array(random: np.random.Generator) -> Application:
    """Insertion sort of private arrays in local memory."""
    values = random.integers(-1000, 1000, (128, 16), np.int32)
    result = np.zeros_like(values)
    launch = Launch("local_array", 2, 64, (values, result))
    return Application((launch,), (Output(result, np.sort(values, 1)),))
