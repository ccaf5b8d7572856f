"""Binary32 instructions against exact fractions, rounded once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from emulator.experiments import Experiment, Words, few, result
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

EDGES = [
    0x0000_0000, 0x8000_0000, 0x0000_0001, 0x007F_FFFF, 0x0080_0000, 0x3F80_0000, 0xBF80_0000,
    0x3F80_0001, 0x7F7F_FFFF, 0xFF7F_FFFF, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x3380_0000,
]  # fmt: skip
pattern = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 2**32 - 1),
    st.integers(0x3F00_0000, 0x40FF_FFFF),  # near one, so that sums cancel
)
lanes = st.lists(pattern, min_size=32, max_size=32).map(lambda v: np.array(v, np.uint32))
NAN = 0x7FFF_FFFF


def rounded(value: Fraction, mode: str) -> int:
    """Bits of the binary32 next to a non-zero fraction."""
    sign = 0x8000_0000 if value < 0 else 0
    magnitude = abs(value)
    exponent = -126
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    units, rest = divmod(magnitude / Fraction(2) ** (exponent - 23), 1)
    away = {
        "RN": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and units % 2 == 1),
        "RZ": False,
        "RM": rest > 0 and value < 0,
        "RP": rest > 0 and value > 0,
    }[mode]
    units += away
    bits = int(units) + ((exponent + 126) << 23)
    if bits >= 0x7F80_0000:
        stays = mode == "RZ" or (mode == "RM" and value > 0) or (mode == "RP" and value < 0)
        bits = 0x7F7F_FFFF if stays else 0x7F80_0000
    return sign | bits


def fused(a: int, b: int, c: int, mode: str) -> int:
    """Bits of a b + c; IEEE rules where it is not a non-zero number."""
    x, y, z = np.array([a, b, c], np.uint32).view(np.float32).astype(np.float64)
    with np.errstate(all="ignore"):
        approximate = x * y + z
    if np.isnan(approximate):
        return NAN
    if not np.isfinite([x, y, z]).all():
        return int(np.float32(approximate).view(np.uint32))
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact:
        return rounded(exact, mode)
    return 0x8000_0000 if np.signbit(approximate) else 0


@pytest.mark.parametrize("mode", ["RN", "RZ", "RM", "RP"])
@few
@given(a=lanes, b=lanes, c=lanes)
def test_ffma_rounds_once(mode: str, a: Words, b: Words, c: Words) -> None:
    suffix = "" if mode == "RN" else f".{mode}"
    expected = [fused(*v, mode) for v in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
    assert result(f"FFMA{suffix} R0, R2, R4, R6", a, b, c).tolist() == expected


@few
@given(lanes, lanes)
def test_fadd_and_fmul(a: Words, b: Words) -> None:
    with np.errstate(all="ignore"):
        x, y = a.view(np.float32), b.view(np.float32)
        for text, value in (
            ("FADD R0, R2, R4", x + y),
            ("FADD R0, -R2, |R4|", -x + abs(y)),
            ("FMUL R0, R2, R4", x * y),
            ("FMUL.D2 R0, R2, R4", x * (y.astype(np.float64) / 2)),
        ):
            single = np.asarray(value).astype(np.float32)
            expected = np.where(np.isnan(single), NAN, single.view(np.uint32))
            assert np.array_equal(expected, result(text, a, b)), text


def test_ftz_flushes_denormal_inputs_and_results() -> None:
    denormal, smallest = np.full(32, 0x8000_0001), np.full(32, 0x0080_0000)
    assert result("FADD.FTZ R0, R2, -RZ", denormal)[0] == 0x8000_0000
    assert result("FADD R0, R2, -RZ", denormal)[0] == 0x8000_0001
    half = np.full(32, 0x3F00_0000)
    assert result("FMUL.FTZ R0, R2, R4", smallest, half)[0] == 0
    assert result("FMUL R0, R2, R4", smallest, half)[0] == 0x0040_0000


def floats(*values: float) -> Words:
    return np.resize(np.array(values, np.float32), 32).view(np.uint32)


def test_saturation_clamps_and_clears_nan() -> None:
    got = result("FADD.SAT R0, R2, RZ", floats(-1, 0.5, 2, np.nan)).view(np.float32)
    assert got[:4].tolist() == [0, 0.5, 1, 0]


def test_fmnmx_ignores_one_nan_and_orders_zeros() -> None:
    a, b = floats(1, np.nan, np.nan, -0.0, 0.0), floats(2, 3, np.nan, 0.0, -0.0)
    smallest, largest = (result(f"FMNMX R0, R2, R4, {p}", a, b) for p in ("PT", "!PT"))
    assert smallest[:5].tolist() == [0x3F80_0000, 0x4040_0000, NAN, 0x8000_0000, 0x8000_0000]
    assert largest[:5].tolist() == [0x4000_0000, 0x4040_0000, NAN, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LT", [1, 0, 0, 0]), ("LE", [1, 1, 0, 0]), ("EQ", [0, 1, 0, 0]), ("NE", [1, 0, 1, 0]),
        ("GEU", [0, 1, 1, 1]), ("NEU", [1, 0, 1, 1]), ("NUM", [1, 1, 1, 0]), ("NAN", [0, 0, 0, 1]),
    ],
)  # fmt: skip
def test_fsetp_and_unordered_numbers(name: str, expected: list[int]) -> None:
    e = Experiment(f"FSETP.{name}.AND P0, P1, R2, R4, PT")
    e.run({2: floats(1, 2, 3, np.nan), 4: floats(2, 2, 2, 2)})
    assert e.predicate(0)[:4].tolist() == expected
    assert e.predicate(1)[:4].tolist() == [1 - x for x in expected]


def test_fsel_moves_bits() -> None:
    a = np.full(32, 0xFFC0_1234)
    assert result("FSEL R0, -|R2|, R4, PT", a, a)[0] == 0xFFC0_1234
    assert result("FSEL R0, R2, |R4|, !PT", a, a)[0] == 0x7FC0_1234


FUNCTIONS = {
    "RCP": lambda x: 1 / x,
    "RSQ": lambda x: 1 / np.sqrt(x),
    "SQRT": np.sqrt,
    "LG2": np.log2,
    "EX2": np.exp2,
    "SIN": lambda x: np.sin(2 * np.pi * x),
    "COS": lambda x: np.cos(2 * np.pi * x),
    "TANH": np.tanh,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_mufu_is_correctly_rounded(name: str) -> None:
    x = np.linspace(0.1, 7, 32, dtype=np.float32)
    expected = FUNCTIONS[name](x.astype(np.float64)).astype(np.float32)
    got = result(f"MUFU.{name} R0, R2", x.view(np.uint32))
    assert np.array_equal(expected, got.view(np.float32))


@few
@given(lanes)
def test_integers_become_floats(a: Words) -> None:
    assert np.array_equal(a.astype(np.float32).view(np.uint32), result("I2F.U32 R0, R2", a))
    signed = a.view(np.int32).astype(np.float32).view(np.uint32)
    assert np.array_equal(signed, result("I2F R0, R2", a))
    byte = (a >> 8 & 255).astype(np.float32).view(np.uint32)
    assert np.array_equal(byte, result("I2F.U8 R0, R2.B1", a))


@few
@given(lanes, lanes)
def test_long_integers_become_floats(low: Words, high: Words) -> None:
    e = Experiment("I2F.U64.RZ R0, R2\nI2F.S64 R1, R2")
    e.run({2: low, 3: high})
    for lane in range(32):
        value = int(high[lane]) << 32 | int(low[lane])
        if value:
            assert e.register(0)[lane] == rounded(Fraction(value), "RZ")
            signed = value - 2**64 if value >> 63 else value
            assert e.register(1)[lane] == rounded(Fraction(signed), "RN")


def conversions() -> NDArray[np.float32]:
    return np.array([0.5, 1.5, -1.5, 2.5, -0.7, 3e9, -3e9, 1e20, np.inf, -np.inf], np.float32)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("F2I", -(2**31), 2**31 - 1), ("F2I.U32", 0, 2**32 - 1), ("F2I.S64", -(2**63), 2**63 - 1)],
)
@pytest.mark.parametrize(
    ("mode", "function"),
    [("", np.rint), (".TRUNC", np.trunc), (".FLOOR", np.floor), (".CEIL", np.ceil)],
)
def test_floats_become_the_nearest_integer(
    text: str, low: int, high: int, mode: str, function: np.ufunc
) -> None:
    e = Experiment(f"{text}{mode}.NTZ R0, R2")
    e.run({2: np.resize(conversions(), 32).view(np.uint32)})
    got = e.register(0).astype(object) + (e.register(1).astype(object) << 32)
    for value, bits in zip(conversions().tolist(), got, strict=False):
        whole = high if value == np.inf else low if value == -np.inf else int(function(value))
        size = 64 if "64" in text else 32
        assert bits == min(max(whole, low), high) % 2**size


def test_nan_becomes_zero_only_with_ntz() -> None:
    nan = floats(np.nan)
    assert result("F2I.TRUNC.NTZ R0, R2", nan)[0] == 0
    assert result("F2I.TRUNC R0, R2", nan)[0] == 0x8000_0000
