"""Expressions of CUDA C++, compiled and emulated, against numpy: bit for bit, for any operand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from emulator.test_floating import fused
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from warpwise.traces.emulator import emulate
from warpwise.traces.nvrtc import compile_cuda

pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")
pytestmark = pytest.mark.parametrize("arch", ["sm_75", "sm_86", "sm_120"])

# Shrinking would run a kernel thousands of times to say what the assertion already says
quick = settings(max_examples=20, phases=[Phase.reuse, Phase.generate])
Array = NDArray[Any]
Formula = Callable[..., Any]
LANES = 32


# Packed halves are words here: NVRTC brings no header for them
PACKED = r"""
#define BINARY(name, text) __device__ unsigned name(unsigned a, unsigned b) { \
    unsigned r; asm(text " %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
BINARY(add2, "add.f16x2") BINARY(sub2, "sub.f16x2") BINARY(mul2, "mul.f16x2")
BINARY(less2, "set.lt.f16x2.f16x2")
__device__ unsigned fma2(unsigned a, unsigned b, unsigned c) {
    unsigned r; asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }
__device__ float widen(unsigned short a) {
    float r; asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(a)); return r; }
__device__ unsigned narrow(float a) {
    unsigned short r; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(a)); return r; }
__device__ unsigned mul_high_low(unsigned a, unsigned b) {
    unsigned short r, x = a >> 16, y = b;
    asm("mul.f16 %0, %1, %2;" : "=h"(r) : "h"(x), "h"(y)); return r; }
"""


@cache
def cubin(expressions: tuple[str, ...], operand: str, result: str, arch: str) -> bytes:
    """A kernel that writes each expression of the operands x, y and z."""
    lines = "\n".join(f"out[{32 * i} + t] = {text};" for i, text in enumerate(expressions))
    return compile_cuda(
        f"""{PACKED}
        extern "C" __global__ void expressions(
            const {operand} *a, const {operand} *b, const {operand} *c, {result} *out) {{
            int t = threadIdx.x;
            const {operand} x = a[t], y = b[t], z = c[t];
            {lines}
        }}""",
        arch,
    )


def check(
    table: dict[str, Formula], operand: str, result: str, arch: str, operands: list[Array]
) -> None:
    """Compare the emulated expressions with their formulas, lane by lane."""
    kind = KINDS[result]
    out = np.zeros((len(table), LANES), kind)
    emulate(cubin(tuple(table), operand, result, arch), None, 1, LANES, [*operands, out])
    with np.errstate(all="ignore"):
        for row, (text, formula) in zip(out, table.items(), strict=True):
            wanted = np.asarray(formula(*operands)).astype(kind)
            same = (bits(wanted) == bits(row)) | ((wanted != wanted) & (row != row))
            assert same.all(), (text, [o[~same] for o in operands], wanted[~same], row[~same])


def bits(values: Array) -> Array:
    return np.ascontiguousarray(values).view(f"u{values.itemsize}")


KINDS = {"float": np.float32, "double": np.float64, "int": np.int32, "unsigned": np.uint32}
KINDS |= {"long long": np.int64, "unsigned long long": np.uint64}


def arrays(kind: type[np.generic], edges: list[Any]) -> st.SearchStrategy[Array]:
    """32 bit patterns: any, small ones, and those at the edges of the format."""
    size = np.dtype(kind).itemsize
    patterns = np.array(edges, kind).view(f"u{size}").tolist()
    any_bits = st.integers(0, 2 ** (8 * size) - 1)
    item = st.one_of(any_bits, any_bits, st.sampled_from(patterns), st.integers(0, 70))
    items = st.lists(item, min_size=LANES, max_size=LANES)
    return items.map(lambda v: np.array(v, f"u{size}").view(kind))


def float_fma(x: Array, y: Array, z: Array) -> Array:
    words = [v.view(np.uint32).tolist() for v in (x, y, z)]
    exact = [fused(*v, "RN") for v in zip(*words, strict=True)]
    return np.array(exact, np.uint32).view(np.float32)


def round_half_away(x: Array, *_: Array) -> Array:
    wide = np.trunc(abs(x).astype(np.longdouble) + 0.5).astype(x.dtype)
    return np.where(abs(x) < 2.0**23, np.copysign(wide, x), x)


FLOAT_EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3e-45, -1e-39, 1.17549435e-38, 3.4e38]
FLOAT_EDGES += [np.inf, -np.inf, np.nan, 16777216.0, 2147483648.0, 1e-30, -7.25, 8388607.5]
floats = arrays(np.float32, FLOAT_EDGES)
FLOATS: dict[str, Formula] = {
    "x + y": lambda x, y, z: x + y,
    "x - y": lambda x, y, z: x - y,
    "x * y": lambda x, y, z: x * y,
    "fmaf(x, y, z)": float_fma,
    "x / y": lambda x, y, z: x / y,
    "1.0f / x": lambda x, y, z: np.float32(1) / x,
    "sqrtf(x)": lambda x, y, z: np.sqrt(x),
    "__frsqrt_rn(x) * 0.0f": lambda x, y, z: (1 / np.sqrt(x.astype(np.float64))) * 0.0,
    "floorf(x)": lambda x, y, z: np.floor(x),
    "ceilf(x)": lambda x, y, z: np.ceil(x),
    "truncf(x)": lambda x, y, z: np.trunc(x),
    "rintf(x)": lambda x, y, z: np.rint(x),
    "roundf(x)": round_half_away,
    "fabsf(x)": lambda x, y, z: abs(x),
    "copysignf(x, y)": lambda x, y, z: np.copysign(x, y),
    "fminf(x, y) + 0.0f": lambda x, y, z: np.fmin(x, y) + np.float32(0),
    "fmaxf(x, y) + 0.0f": lambda x, y, z: np.fmax(x, y) + np.float32(0),
    "x < y ? z : x": lambda x, y, z: np.where(x < y, z, x),
    "!(x >= y) ? z : y": lambda x, y, z: np.where(~(x >= y), z, y),
    "(float)(double)x": lambda x, y, z: x,
    "(float)((double)x * y)": lambda x, y, z: x.astype(np.float64) * y,
    "ldexpf(x, 5)": lambda x, y, z: np.ldexp(x, 5),
    "__saturatef(x)": lambda x, y, z: np.where(np.isnan(x), 0, np.clip(x, 0, 1)) + 0.0,
}


@quick
@given(x=floats, y=floats, z=floats)
def test_binary32(arch: str, x: Array, y: Array, z: Array) -> None:
    check(FLOATS, "float", "float", arch, [x, y, z])


def clamped(low: int, high: int) -> Formula:
    """Conversion to an integer type, towards zero and to the nearest one that exists."""

    def convert(x: Array, *_: Array) -> Array:
        whole = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0, posinf=2**70, neginf=-(2**70))
        return np.array([min(max(int(v), low), high) for v in whole], object)

    return convert


DOUBLE_EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 5e-324, 2.3e-308, 1.7e308, 3.5e38, 1e-40]
DOUBLE_EDGES += [np.inf, -np.inf, np.nan, 2.0**31, 2.0**63, -(2.0**52) - 0.5, 1 / 3]
doubles = arrays(np.float64, DOUBLE_EDGES)
DOUBLES: dict[str, Formula] = {
    "x + y": lambda x, y, z: x + y,
    "x * y": lambda x, y, z: x * y,
    "x / y": lambda x, y, z: x / y,
    "sqrt(x)": lambda x, y, z: np.sqrt(x),
    "floor(x)": lambda x, y, z: np.floor(x),
    "rint(x)": lambda x, y, z: np.rint(x),
    "fmin(x, y) + 0.0": lambda x, y, z: np.fmin(x, y) + 0.0,
    "fmax(x, y) + 0.0": lambda x, y, z: np.fmax(x, y) + 0.0,
    "(double)(float)x": lambda x, y, z: x.astype(np.float32),
    "x < y ? z : x": lambda x, y, z: np.where(x < y, z, x),
}


@quick
@given(x=doubles, y=doubles, z=doubles)
def test_binary64(arch: str, x: Array, y: Array, z: Array) -> None:
    check(DOUBLES, "double", "double", arch, [x, y, z])


TO_INTEGERS = {
    "int": clamped(-(2**31), 2**31 - 1),
    "unsigned": clamped(0, 2**32 - 1),
    "long long": clamped(-(2**63), 2**63 - 1),
    "unsigned long long": clamped(0, 2**64 - 1),
}


@quick
@given(x=floats, y=doubles)
def test_floats_become_integers(arch: str, x: Array, y: Array) -> None:
    x, y = np.nan_to_num(x, nan=0, posinf=np.inf, neginf=-np.inf), np.nan_to_num(y, nan=0)
    for name, formula in TO_INTEGERS.items():
        for operand, value in (("float", x), ("double", y)):
            check({f"({name})x": formula}, operand, name, arch, [value] * 3)


INT_EDGES = [0, 1, -1, 2**31 - 1, -(2**31), 255, 65536, -7]
ints = arrays(np.int32, INT_EDGES)


def python(function: Callable[..., int], bits_: int = 32) -> Formula:
    """A formula from unbounded integers, cut to the low bits."""

    def formula(*operands: Array) -> Array:
        rows = zip(*(v.tolist() for v in operands), strict=True)
        wrapped = [function(*row) % 2**bits_ for row in rows]
        return np.array(wrapped, f"u{bits_ // 8}").view(f"i{bits_ // 8}")

    return formula


def quotient(x: int, y: int) -> int:
    """C's division, towards zero."""
    return -(-x // y) if (x < 0) != (y < 0) and x % y else x // y


def unsigned(value: int) -> int:
    return value % 2**32


INTS: dict[str, Formula] = {
    "x / (y | 1)": python(lambda x, y, z: quotient(x, y | 1)),
    "x % (y | 1)": python(lambda x, y, z: x - (y | 1) * quotient(x, y | 1)),
    "(unsigned)x / (unsigned)(y | 1)": python(lambda x, y, z: unsigned(x) // unsigned(y | 1)),
    "(unsigned)x % (unsigned)(y | 1)": python(lambda x, y, z: unsigned(x) % unsigned(y | 1)),
    "x / 7": python(lambda x, y, z: quotient(x, 7)),
    "x * y + z": python(lambda x, y, z: x * y + z),
    "__mulhi(x, y)": python(lambda x, y, z: x * y >> 32),
    "__umulhi(x, y)": python(lambda x, y, z: unsigned(x) * unsigned(y) >> 32),
    "__brev(x)": python(lambda x, y, z: int(f"{unsigned(x):032b}"[::-1], 2)),
    "__clz(x)": python(lambda x, y, z: 32 - unsigned(x).bit_length()),
    "__ffs(x)": python(lambda x, y, z: (unsigned(x) & -unsigned(x)).bit_length()),
    "__popc(x)": python(lambda x, y, z: unsigned(x).bit_count()),
    "x << (y & 31)": python(lambda x, y, z: x << (y & 31)),
    "x >> (y & 31)": python(lambda x, y, z: x >> (y & 31)),
    "(unsigned)x >> (y & 31)": python(lambda x, y, z: unsigned(x) >> (y & 31)),
    "__funnelshift_l(x, y, z)": python(
        lambda x, y, z: (unsigned(y) << 32 | unsigned(x)) << (z & 31) >> 32
    ),
    "min(x, y) ^ max(y, z)": python(lambda x, y, z: min(x, y) ^ max(y, z)),
    "x < y ? y - x : z": python(lambda x, y, z: y - x if x < y else z),
    "__sad(x, y, z)": python(lambda x, y, z: abs(x - y) + z),
    "__usad(x, y, z)": python(lambda x, y, z: abs(unsigned(x) - unsigned(y)) + z),
    "(short)x + (signed char)y": python(
        lambda x, y, z: (x + 2**15) % 2**16 - 2**15 + (y + 2**7) % 2**8 - 2**7
    ),
    "__dp4a(x, y, z)": python(lambda x, y, z: dot(x, y, 8, 8, 4) + z),
    "__dp2a_lo(x, y, z)": python(lambda x, y, z: dot(x, y, 16, 8, 2) + z),
    "__dp2a_hi(x, y, z)": python(lambda x, y, z: dot(x, y >> 16, 16, 8, 2) + z),
    "__dp4a((unsigned)x, (unsigned)y, 0u)": python(
        lambda x, y, z: sum((x >> s & 255) * (y >> s & 255) for s in (0, 8, 16, 24))
    ),
    "__vabsdiffu4(x, y)": python(
        lambda x, y, z: sum(abs((x >> s & 255) - (y >> s & 255)) << s for s in (0, 8, 16, 24))
    ),
    "__vsadu4(x, y)": python(
        lambda x, y, z: sum(abs((x >> s & 255) - (y >> s & 255)) for s in (0, 8, 16, 24))
    ),
    "__float_as_int((float)x)": lambda x, y, z: x.astype(np.float32).view(np.int32),
    "__float_as_int((float)(unsigned)x)": lambda x, y, z: (
        x.view(np.uint32).astype(np.float32).view(np.int32)
    ),
}


def dot(x: int, y: int, width: int, other: int, count: int) -> int:
    """Products of the signed parts of two words, added."""

    def part(value: int, bits_: int, number: int) -> int:
        return ((value >> bits_ * number) + 2 ** (bits_ - 1)) % 2**bits_ - 2 ** (bits_ - 1)

    return sum(part(x, width, i) * part(y, other, i) for i in range(count))


@quick
@given(x=ints, y=ints, z=ints)
def test_32_bit_integers(arch: str, x: Array, y: Array, z: Array) -> None:
    check(INTS, "int", "int", arch, [x, y, z])


longs = arrays(np.int64, [0, 1, -1, 2**63 - 1, -(2**63), 2**32, -(2**32) - 1, 255])
LONGS: dict[str, Formula] = {
    "x + y - z": python(lambda x, y, z: x + y - z, 64),
    "x * y + z": python(lambda x, y, z: x * y + z, 64),
    "x / (y | 1)": python(lambda x, y, z: quotient(x, y | 1), 64),
    "(unsigned long long)x % (unsigned long long)(y | 1)": python(
        lambda x, y, z: x % 2**64 % ((y | 1) % 2**64), 64
    ),
    "__mul64hi(x, y)": python(lambda x, y, z: x * y >> 64, 64),
    "x << (y & 63)": python(lambda x, y, z: x << (y & 63), 64),
    "x >> (y & 63)": python(lambda x, y, z: x >> (y & 63), 64),
    "x < y ? z : ~x": python(lambda x, y, z: z if x < y else ~x, 64),
    "__clzll(x) + __popcll(y)": python(
        lambda x, y, z: 64 - (x % 2**64).bit_length() + (y % 2**64).bit_count(), 64
    ),
    "__double_as_longlong((double)x)": lambda x, y, z: x.astype(np.float64).view(np.int64),
    "(long long)__float_as_int((float)x)": lambda x, y, z: x.astype(np.float32).view(np.int32),
}


@quick
@given(x=longs, y=longs, z=longs)
def test_64_bit_integers(arch: str, x: Array, y: Array, z: Array) -> None:
    check(LONGS, "long long", "long long", arch, [x, y, z])


packed = arrays(np.uint32, [0x3C00_8001, 0xBC00_7BFF, 0x7C00_0000, 0x3C01_3BFF])


def halves(x: Array) -> Array:
    return x.view(np.float16).reshape(-1, 2)


def joined(pairs: Array) -> Array:
    """Words of pairs of binary16, with the NaN of the hardware."""
    encoded = np.where(np.isnan(pairs), 0x7FFF, pairs.astype(np.float16).view(np.uint16))
    return np.ascontiguousarray(encoded.astype(np.uint16)).view(np.uint32)[:, 0]


def wide_fma(x: Array, y: Array, z: Array) -> Array:
    """a b + c in extended precision, which holds the sum of numbers of moderate size exactly."""
    a, b, c = (halves(v).astype(np.longdouble) for v in (x, y, z))
    return joined((a * b + c).astype(np.float64).astype(np.float16))


def moderate(x: Array) -> Array:
    """Exponents between -8 and 7 in both halves."""
    return x & np.uint32(0xBFFF_BFFF) | np.uint32(0x2000_2000)


HALVES: dict[str, Formula] = {
    "add2(x, y)": lambda x, y, z: joined(halves(x) + halves(y)),
    "sub2(x, y)": lambda x, y, z: joined(halves(x) - halves(y)),
    "mul2(x, y)": lambda x, y, z: joined(halves(x) * halves(y)),
    "add2(x, 0x3c004000)": lambda x, y, z: joined(halves(x) + np.array([2, 1], np.float16)),
    "add2(x, y ^ 0x80008000)": lambda x, y, z: joined(halves(x) - halves(y)),
    "add2(x >> 16 | x << 16, y)": lambda x, y, z: joined(halves(x)[:, ::-1] + halves(y)),
    "less2(x, y)": lambda x, y, z: joined((halves(x) < halves(y)).astype(np.float16)),
    "mul_high_low(x, y)": lambda x, y, z: joined(halves(x)[:, ::-1] * halves(y)) & 0xFFFF,
    "narrow(widen(x) + widen(y >> 16))": lambda x, y, z: (
        joined(halves(x).astype(np.float32) + halves(y)[:, ::-1]) & 0xFFFF
    ),
    "fma2(x, y, z)": wide_fma,
    "fma2(x, 0x3c004000, y)": lambda x, y, z: joined(
        halves(x).astype(np.float64) * [2, 1] + halves(y)
    ),
}


@quick
@given(x=packed, y=packed, z=packed)
def test_packed_halves(arch: str, x: Array, y: Array, z: Array) -> None:
    check(HALVES, "unsigned", "unsigned", arch, [moderate(x), moderate(y), moderate(z)])
    plain = {text: formula for text, formula in HALVES.items() if "fma2" not in text}
    check(plain, "unsigned", "unsigned", arch, [x, y, z])
