"""Matrix products: whole matrices through mma.sync, and the rounding of single sums."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from emulator.experiments import Experiment, Words, few, result
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from warpwise.traces.emulator import emulate
from warpwise.traces.nvrtc import compile_cuda

Places = tuple[NDArray[Any], NDArray[Any]]
LANE = np.arange(32)
GROUP, MEMBER = LANE // 4, LANE % 4  # "groupID" and "threadID_in_group" of the PTX ISA


@dataclass(frozen=True)
class Product:
    """One form of mma.sync, the types as PTX spells them."""

    m: int
    k: int
    a: str
    b: str
    d: str
    options: str = ""  # behind the shape and layouts
    operation: str = ""  # behind the types
    architectures: tuple[str, ...] = ("sm_86",)

    def __str__(self) -> str:
        return f"m{self.m}n8k{self.k}.{self.d}.{self.a}.{self.b}{self.options}{self.operation}"


BOTH = ("sm_75", "sm_86")
FLOATS = [
    Product(16, 8, "f16", "f16", "f32", architectures=BOTH),
    Product(16, 8, "f16", "f16", "f16", architectures=BOTH),
    Product(16, 16, "f16", "f16", "f32"),
    Product(16, 16, "f16", "f16", "f16"),
    Product(16, 8, "bf16", "bf16", "f32"),
    Product(16, 16, "bf16", "bf16", "f32"),
    Product(16, 4, "tf32", "tf32", "f32"),
    Product(16, 8, "tf32", "tf32", "f32"),
]
INTEGERS = [
    Product(8, 16, "s8", "s8", "s32", architectures=BOTH),
    Product(8, 16, "u8", "s8", "s32", ".satfinite", architectures=BOTH),
    Product(8, 32, "s4", "u4", "s32", architectures=BOTH),
    Product(16, 16, "s8", "u8", "s32"),
    Product(16, 32, "u8", "u8", "s32", ".satfinite"),
    Product(16, 32, "u4", "s4", "s32"),
    Product(16, 64, "s4", "s4", "s32"),
]
BITS = [
    Product(8, 128, "b1", "b1", "s32", operation=".xor.popc", architectures=BOTH),
    Product(16, 128, "b1", "b1", "s32", operation=".xor.popc"),
    Product(16, 256, "b1", "b1", "s32", operation=".and.popc"),
]
WIDTH = {"f32": 32, "s32": 32, "tf32": 32, "f16": 16, "bf16": 16, "s8": 8, "u8": 8}
WIDTH |= {"s4": 4, "u4": 4, "b1": 1}


def on_architectures(products: list[Product]) -> Any:
    cases = [(p, arch) for p in products for arch in p.architectures]
    return pytest.mark.parametrize(
        ("product", "arch"), cases, ids=[f"{p}-{arch}" for p, arch in cases]
    )


def register_counts(p: Product) -> tuple[int, int, int]:
    """Registers of a lane that hold A, B, and C."""
    return tuple(
        max(1, size * WIDTH[kind] // 1024)
        for size, kind in ((p.m * p.k, p.a), (p.k * 8, p.b), (p.m * 8, p.d))
    )


def source(p: Product) -> str:
    """A kernel whose lanes bring the registers of their fragments, one after the other."""
    na, nb, nd = register_counts(p)
    number = iter(range(2 * nd + na + nb))
    d, a, b, c = (", ".join(f"%{next(number)}" for _ in range(n)) for n in (nd, na, nb, nd))
    kind, letter = ("float", "f") if p.d == "f32" else ("unsigned", "r")
    outputs = ", ".join(f'"={letter}"(d[t * {nd} + {i}])' for i in range(nd))
    inputs = ", ".join(
        [f'"r"(a[t * {na} + {i}])' for i in range(na)]
        + [f'"r"(b[t * {nb} + {i}])' for i in range(nb)]
        + [f'"{letter}"(c[t * {nd} + {i}])' for i in range(nd)]
    )
    name = (
        f"mma.sync.aligned.m{p.m}n8k{p.k}.row.col{p.options}.{p.d}.{p.a}.{p.b}.{p.d}{p.operation}"
    )
    return f"""
    extern "C" __global__ void product(
            const unsigned *a, const unsigned *b, const {kind} *c, {kind} *d) {{
        int t = threadIdx.x;
        asm("{name} {{{d}}}, {{{a}}}, {{{b}}}, {{{c}}};" : {outputs} : {inputs});
    }}"""


def run(p: Product, arch: str, a: Words, b: Words, c: Words) -> Words:
    """Lanes' registers of D, as (32, registers)."""
    pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")
    d = np.zeros_like(c)
    emulate(compile_cuda(source(p), arch), "product", 1, 32, [a, b, c, d])
    return d


# Fragments as the PTX ISA gives them: row and column of each element that a lane holds


def a_places(p: Product) -> Places:
    """(row, column) of A's elements, as (32, registers, elements of a register)."""
    each = 32 // WIDTH[p.a]
    count = register_counts(p)[0]
    index = np.arange(count * each).reshape(1, count, each)
    register = index // each
    upper = register % 2 * 8 if p.m == 16 else 0 * register
    part = register // (p.m // 8)
    row = GROUP[:, None, None] + upper
    column = MEMBER[:, None, None] * each + index % each + part * 4 * each
    return np.broadcast_arrays(row, column)


def b_places(p: Product) -> Places:
    """(row, column) of B's elements."""
    each = 32 // WIDTH[p.b]
    count = register_counts(p)[1]
    index = np.arange(count * each).reshape(1, count, each)
    row = MEMBER[:, None, None] * each + index % each + index // each * 4 * each
    return np.broadcast_arrays(row, GROUP[:, None, None])


def d_places(p: Product) -> Places:
    """(row, column) of the elements of C and D."""
    each = 32 // WIDTH[p.d]
    count = register_counts(p)[2]
    index = np.arange(count * each).reshape(1, count, each)
    row = GROUP[:, None, None] + index // 2 * 8
    return np.broadcast_arrays(row, MEMBER[:, None, None] * 2 + index % 2)


def pack(encoded: NDArray[Any], places: Places) -> Words:
    """Registers of a matrix whose elements are given as bit patterns."""
    elements = encoded[places].astype(np.uint64)
    each = elements.shape[2]
    shifts = np.arange(each, dtype=np.uint64) * np.uint64(32 // each)
    return (elements << shifts).sum(axis=2).astype(np.uint32)


def unpack(words: Words, places: Places, shape: tuple[int, int]) -> Words:
    """Bit patterns of the matrix that lanes' registers hold."""
    each = places[0].shape[2]
    width = 32 // each
    shifts = np.arange(each, dtype=np.uint32) * np.uint32(width)
    matrix = np.zeros(shape, np.uint32)
    matrix[places] = words[:, :, None] >> shifts & np.uint32(2**width - 1)
    return matrix


def encode(matrix: NDArray[Any], kind: str) -> NDArray[Any]:
    """Bit patterns of numbers that a type holds exactly."""
    if kind == "f16":
        return matrix.astype(np.float16).view(np.uint16)
    if kind in ("f32", "tf32"):
        return matrix.astype(np.float32).view(np.uint32)
    if kind == "bf16":
        return matrix.astype(np.float32).view(np.uint32) >> 16
    return matrix.astype(np.int64) & (2 ** WIDTH[kind] - 1)


def bounds(kind: str) -> tuple[int, int]:
    """Smallest integer of a type and the number behind its largest one."""
    bits = WIDTH[kind]
    return (-(2 ** (bits - 1)), 2 ** (bits - 1)) if kind[0] == "s" else (0, 2**bits)


@on_architectures(FLOATS)
def test_floating_point_products_of_small_integers_are_exact(product: Product, arch: str) -> None:
    p, random = product, np.random.default_rng(7)
    a, b, c = (random.integers(-7, 8, shape) for shape in ((p.m, p.k), (p.k, 8), (p.m, 8)))
    fragments = (
        pack(encode(a, p.a), a_places(p)),
        pack(encode(b, p.b), b_places(p)),
        pack(encode(c, p.d), d_places(p)),
    )
    d = unpack(run(p, arch, *fragments), d_places(p), (p.m, 8))
    assert np.array_equal(d, encode(a @ b + c, p.d))


@on_architectures(INTEGERS)
def test_integer_products_wrap_or_saturate(product: Product, arch: str) -> None:
    p, random = product, np.random.default_rng(8)
    a = random.integers(*bounds(p.a), (p.m, p.k))
    b = random.integers(*bounds(p.b), (p.k, 8))
    c = random.choice([0, -5, 2**31 - 100, -(2**31) + 100], (p.m, 8))
    fragments = (
        pack(encode(a, p.a), a_places(p)),
        pack(encode(b, p.b), b_places(p)),
        pack(encode(c, "s32"), d_places(p)),
    )
    d = unpack(run(p, arch, *fragments), d_places(p), (p.m, 8)).view(np.int32)
    exact = a @ b + c
    assert (abs(exact) > 2**31).any()
    wanted = np.clip(exact, -(2**31), 2**31 - 1) if p.options else exact
    assert np.array_equal(d, wanted.astype(np.int32))


@on_architectures(BITS)
def test_products_of_bits_are_counted(product: Product, arch: str) -> None:
    p, random = product, np.random.default_rng(9)
    a, b = random.integers(0, 2, (p.m, p.k)), random.integers(0, 2, (p.k, 8))
    c = random.integers(-9, 9, (p.m, 8))
    fragments = (
        pack(a, a_places(p)),
        pack(b, b_places(p)),
        pack(encode(c, "s32"), d_places(p)),
    )
    d = unpack(run(p, arch, *fragments), d_places(p), (p.m, 8)).view(np.int32)
    meet = a[:, :, None] ^ b[None] if "xor" in p.operation else a[:, :, None] & b[None]
    assert np.array_equal(d, meet.sum(axis=1) + c)


# Rounding, with exact fractions: only lane 0's first element of D is looked at


def fields(value: float, smallest: int) -> int:
    """Exponent of a number, not below the smallest one of its format."""
    return max(int(np.frexp(value)[1]) - 1, smallest)


def truncated_sum(c: float, a: list[float], b: list[float], smallest: tuple[int, int]) -> Fraction:
    """Products and C, each cut off 24 bits below the largest exponent, added."""
    terms = [(Fraction(c), fields(c, smallest[1]))] + [
        (Fraction(x) * Fraction(y), fields(x, smallest[0]) + fields(y, smallest[0]))
        for x, y in zip(a, b, strict=True)
    ]
    top = max((e for value, e in terms if value), default=0)
    unit = Fraction(2) ** (top - 24)
    return sum((int(value / unit) * unit for value, _ in terms), Fraction(0))


def cut(value: Fraction) -> float:
    """The binary32 next to a fraction towards zero."""
    nearest = np.float32(float(value))
    if abs(Fraction(float(nearest))) > abs(value):
        nearest = np.nextafter(nearest, np.float32(0))
    return float(nearest)


near_one = st.integers(0, 2**16 - 1).map(lambda v: v & 0x8FFF | 0x3000)
half = st.one_of(near_one, st.sampled_from([0, 1, 0x8001, 0x03FF, 0x6400, 0xE400]))
halves = st.lists(half, min_size=8, max_size=8)


@few
@given(halves, halves, st.floats(-8, 8, width=32))
def test_sums_of_eight_products_are_truncated(a: list[int], b: list[int], c: float) -> None:
    x, y = (np.array(v, np.uint16).view(np.float16).tolist() for v in (a, b))
    single = cut(truncated_sum(c, x, y, (-14, -126)))
    assert first_element("HMMA.1688.F32", a, b, np.float32(c)) == np.float32(single)
    c16 = float(np.float16(c))
    with np.errstate(over="ignore"):
        nearest = np.float16(float(truncated_sum(c16, x, y, (-14, -14))))
    assert first_element("HMMA.1688.F16", a, b, np.float16(c16)) == nearest


@few
@given(halves, halves, halves, halves, st.floats(-8, 8, width=32))
def test_sixteen_products_are_two_sums(
    a: list[int], b: list[int], a2: list[int], b2: list[int], c: float
) -> None:
    x, y, x2, y2 = (np.array(v, np.uint16).view(np.float16).tolist() for v in (a, b, a2, b2))
    between = cut(truncated_sum(c, x, y, (-14, -126)))
    single = cut(truncated_sum(between, x2, y2, (-14, -126)))
    got = first_element("HMMA.16816.F32", a + a2, b + b2, np.float32(c))
    assert got == np.float32(single)


def first_element(name: str, a: list[int], b: list[int], c: np.floating[Any]) -> np.floating[Any]:
    """D[0, 0] of a product with the row `a`, the column `b` and the element `c`."""
    p = Product(16, len(a), "f16", "f16", "f32")
    rows, columns = np.zeros((16, p.k), np.uint32), np.zeros((p.k, 8), np.uint32)
    rows[0], columns[:, 0] = a, b
    fragments = pack(rows, a_places(p)).T, pack(columns, b_places(p)).T
    e = Experiment(f"{name} R4, R8, R12, R16")
    bits = c.view(np.uint32 if c.itemsize == 4 else np.uint16)
    inputs = {16: np.full(32, bits, np.uint32)}
    for first, registers in zip((8, 12), fragments, strict=True):
        inputs |= {first + i: row for i, row in enumerate(registers)}
    e.run(inputs)
    word = e.register(4)[:1]
    return word.view(np.float32)[0] if c.itemsize == 4 else word.view(np.float16)[0]


def test_infinities_and_nans_of_products() -> None:
    infinity, one = [0x7C00] + [0] * 7, [0x3C00] * 8
    assert first_element("HMMA.1688.F32", infinity, one, np.float32(1)) == np.inf
    assert first_element("HMMA.1688.F16", infinity, one, np.float16(1)) == np.inf
    invalid = first_element("HMMA.1688.F32", infinity, [0] * 8, np.float32(1))
    assert invalid.view(np.uint32) == 0x7FFF_FFFF
    large = [0x7BFF] * 8
    assert first_element("HMMA.1688.F16", large, large, np.float16(1)) == np.inf
    assert first_element("HMMA.1688.F32", large, large, np.float32(1)) == 8 * 65504.0**2


def test_denormals_align_by_the_exponent_of_their_format_and_zeros_not_at_all() -> None:
    denormal, large = [0x0001] + [0] * 7, [0x6400] * 8  # 2**-24, which counts as 2**-14, and 2**10
    for a, b in ((denormal, large), (large, denormal)):
        assert first_element("HMMA.1688.F32", a, b, np.float32(2**-30)) == 2**-14
    tiny = np.float32(2**-30 * (1 + 2**-23))
    assert first_element("HMMA.1688.F32", large, [0] * 8, tiny) == tiny


DOUBLES = """
extern "C" __global__ void product(const double *a, const double *b, const double *c, double *d) {
    int t = threadIdx.x;
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%4, %5};"
        : "=d"(d[2 * t]), "=d"(d[2 * t + 1])
        : "d"(a[t]), "d"(b[t]), "d"(c[2 * t]), "d"(c[2 * t + 1]));
}
"""


def test_binary64_products_are_fused_one_after_the_other() -> None:
    pytest.importorskip("nvidia.cu13", reason="needs the NVRTC wheel")
    random = np.random.default_rng(11)
    a, b, c = (random.standard_normal(shape) for shape in ((8, 4), (4, 8), (8, 8)))
    a[0, 0] = np.nan
    d = np.zeros((8, 8))
    emulate(compile_cuda(DOUBLES, "sm_86"), "product", 1, 32, [a, b.T.copy(), c, d])
    expected = c.copy()
    for row, column in np.ndindex(8, 8):
        for k in range(4) if row else ():
            exact = Fraction(a[row, k]) * Fraction(b[k, column]) + Fraction(expected[row, column])
            expected[row, column] = float(exact)
    assert np.array_equal(d[1:], expected[1:])
    assert np.isnan(d[0]).all()


def test_tf32_ignores_the_lowest_bits() -> None:
    e = Experiment("HMMA.1684.F32.TF32 R4, R8, R12, RZ")
    value = np.full(32, 0x3F80_3FFF, np.uint32)  # 1 + 2**-10 + bits below
    e.run({8: np.where(LANE == 0, value, 0), 12: np.where(LANE == 0, 0x3F80_0000, 0)})
    assert e.register(4).view(np.float32)[0] == 1 + 2**-10


def test_movm_transposes() -> None:
    matrix = np.arange(64, dtype=np.uint16).reshape(8, 8)
    words = np.ascontiguousarray(matrix).view(np.uint32).reshape(32)
    turned = result("MOVM.16.MT88 R0, R2", words)
    assert np.array_equal(turned.view(np.uint16).reshape(8, 8), matrix.T)


def test_each_warp_multiplies_its_own_matrices() -> None:
    e = Experiment("IMMA.8816.S8.S8 R4, R2.ROW, R3.COL, RZ", warps=3)
    ones = np.uint32(0x0101_0101)
    scale = np.array([[1], [2], [3]], np.uint32)
    e.run({2: np.broadcast_to(ones * scale, (3, 32)), 3: np.full((3, 32), ones)})
    assert (e.state.registers[4] == 16 * scale).all()
    assert (e.state.registers[5] == 16 * scale).all()
