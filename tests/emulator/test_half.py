"""Packed binary16 and bfloat16 against exact fractions, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from emulator.experiments import Experiment, Words, few, result
from hypothesis import given
from hypothesis import strategies as st

EDGES = [0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x3C00, 0xBC00, 0x3C01, 0x7BFF, 0x7C00, 0xFC00, 0x7E01]
pattern = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 0xFFFF),
    st.integers(0x3A00, 0x3FFF),  # near one, so that sums cancel
)
word = st.tuples(pattern, pattern).map(lambda v: v[0] | v[1] << 16)
lanes = st.lists(word, min_size=32, max_size=32).map(lambda v: np.array(v, np.uint32))
FORMATS = {"": (10, -14), ".BF16_V2": (7, -126)}  # fraction bits, smallest exponent
NAN = 0x7FFF
Rational = Callable[[Fraction, Fraction, Fraction], Fraction]


def decode(bits: int, form: str) -> float:
    """The number that 16 bits encode, built from their fields."""
    fraction_bits, smallest = FORMATS[form]
    exponent, fraction = divmod(bits & 0x7FFF, 1 << fraction_bits)
    sign = -1.0 if bits >> 15 else 1.0
    if exponent == (0x7FFF >> fraction_bits):
        return float("nan") if fraction else sign * float("inf")
    significand = fraction + (1 << fraction_bits if exponent else 0)
    return sign * float(significand) * 2.0 ** (max(exponent, 1) - 1 + smallest - fraction_bits)


def encode(value: Fraction, form: str, negative_zero: bool, truncate: bool = False) -> int:
    """The 16 bits next to a fraction, ties to even."""
    fraction_bits, smallest = FORMATS[form]
    magnitude, exponent = abs(value), smallest
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    units, rest = divmod(magnitude / Fraction(2) ** (exponent - fraction_bits), 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and units % 2 == 1)
    units += up and not truncate
    bits = int(units) + ((exponent - smallest) << fraction_bits)
    infinity = (0x7FFF >> fraction_bits) << fraction_bits
    bits = min(bits, infinity - truncate)
    negative = negative_zero if value == 0 else value < 0
    return bits | (0x8000 if negative else 0)


def expected(function: Rational, form: str, *operands: Words) -> list[int]:
    """A function of rational numbers of both halves of some words."""
    results = []
    for values in zip(*(w.tolist() for w in operands), strict=True):
        packed = 0
        for shift in (0, 16):
            numbers = [decode(v >> shift & 0xFFFF, form) for v in values]
            plain = function(*(np.float64(n) for n in numbers))  # for infinities, NaNs and zeros
            sign = bool(np.signbit(plain))
            if np.isnan(plain):
                bits = NAN
            elif np.isinf(numbers).any():
                bits = encode(Fraction(2) ** 200, form, False) | sign << 15
            else:
                bits = encode(function(*map(Fraction, numbers)), form, sign)
            packed |= bits << shift
        results.append(packed)
    return results


@few
@given(lanes, lanes)
def test_hadd2_and_hmul2_round_once(a: Words, b: Words) -> None:
    with np.errstate(all="ignore"):
        assert result("HADD2 R0, R2, R4", a, b).tolist() == expected(np.add, "", a, b)
        assert result("HADD2 R0, -R2, R4", a, b).tolist() == expected(lambda x, y: y - x, "", a, b)
        assert result("HMUL2 R0, R2, R4", a, b).tolist() == expected(np.multiply, "", a, b)


@pytest.mark.parametrize("form", FORMATS)
@few
@given(a=lanes, b=lanes, c=lanes)
def test_hfma2_rounds_once(form: str, a: Words, b: Words, c: Words) -> None:
    with np.errstate(all="ignore"):
        want = expected(lambda x, y, z: x * y + z, form, a, b, c)
        assert result(f"HFMA2{form} R0, R2, R4, R6", a, b, c).tolist() == want


@few
@given(lanes, lanes)
def test_suffixes_pick_halves_and_signs(a: Words, b: Words) -> None:
    low, high = (a & 0xFFFF) * 0x1_0001, (a >> 16) * 0x1_0001
    pairs = (
        ("R2.H0_H0", low),
        ("R2.H1_H1", high),
        ("-R2.H0_H0", low ^ 0x8000_8000),
        ("-|R2|.H1_H1", high | 0x8000_8000),
        ("|R2|", a & 0x7FFF_7FFF),
    )
    for text, chosen in pairs:
        plain = result("HADD2 R0, R2, R4", chosen.astype(np.uint32), b)
        assert np.array_equal(plain, result(f"HADD2 R0, {text}, R4", a, b)), text


@few
@given(lanes)
def test_hadd2_f32_widens_one_half(a: Words) -> None:
    for suffix, shift in (("H0_H0", 0), ("H1_H1", 16)):
        half = (a >> np.uint32(shift)).astype(np.uint16).view(np.float16).astype(np.float32)
        want = np.where(np.isnan(half), np.uint32(0x7FFF_FFFF), half.view(np.uint32))
        assert np.array_equal(want, result(f"HADD2.F32 R0, -RZ, R2.{suffix}", a))


@few
@given(st.lists(st.integers(0, 2**32 - 1), min_size=32, max_size=32), lanes)
def test_binary32_becomes_binary16_with_one_rounding(bits: list[int], near: Words) -> None:
    scale = np.float32(2) ** np.arange(-30, 34, 2, dtype=np.float32)  # the range of binary16
    value = np.array(bits, np.uint32).view(np.float32)
    mantissa = (np.array(bits, np.uint32) >> 9 | 0x3F80_0000).view(np.float32)
    ties = (near & 0xFFFF).astype(np.uint16).view(np.float16).astype(np.float32)
    with np.errstate(all="ignore"):
        ties = ties * np.float32(1.00048828125)
        cases = [(x, x.astype(np.float16)) for x in (value, mantissa * scale, ties)]
    for x, nearest in cases:
        want = np.where(np.isnan(x), NAN, nearest.view(np.uint16)).tolist()
        word = x.view(np.uint32)
        assert result("F2F.F16.F32 R0, R2", word).tolist() == want
        assert result("HADD2 R0, R2.F32, -RZ.H0_H0", word).tolist() == [v * 0x1_0001 for v in want]
        assert result("F2FP.PACK_AB R0, RZ, R2", word).tolist() == want
        assert result("F2FP.PACK_AB R0, R2, RZ", word).tolist() == [v << 16 for v in want]
        finite = [Fraction(float(v)) if np.isfinite(v) else None for v in x]
        cut = result("F2FP.PACK_AB.RZ R0, RZ, R2", word).tolist()
        bfloat = result("F2FP.BF16.PACK_AB R0, RZ, R2", word).tolist()
        for v, sign, down, short in zip(finite, np.signbit(x).tolist(), cut, bfloat, strict=True):
            if v is not None:
                assert down == encode(v, "", sign, truncate=True)
                assert short == encode(v, ".BF16_V2", sign)


COMPARISONS = {"LT": np.less, "EQ": np.equal, "GEU": np.greater_equal, "NEU": np.not_equal}


@pytest.mark.parametrize("name", COMPARISONS)
@few
@given(a=lanes, b=lanes)
def test_comparisons_of_both_halves(name: str, a: Words, b: Words) -> None:
    x, y = (v.view(np.float16).reshape(32, 2) for v in (a, b))
    holds = COMPARISONS[name](x, y)
    holds = holds | np.isnan(x) | np.isnan(y) if name.endswith("U") else holds
    e = Experiment(
        f"HSETP2.{name}.AND P0, P1, R2, R4, PT\nHSET2.BF.{name}.AND R0, R2, R4, PT\n"
        f"HSET2.{name}.XOR R1, R2, R4, PT"
    )
    e.run({2: a, 4: b})
    assert np.array_equal(holds[:, 0], e.predicate(0))
    assert np.array_equal(holds[:, 1], e.predicate(1))
    assert np.array_equal(np.where(holds, np.float16(1), 0), halves(e.register(0)))
    masks = np.where(holds, 0, 0xFFFF)
    assert np.array_equal(masks[:, 0] | masks[:, 1] << 16, e.register(1))


def halves(words: Words) -> np.ndarray:
    return words.view(np.float16).reshape(32, 2)


@few
@given(lanes, lanes)
def test_hmnmx2_ignores_a_nan_unless_told(a: Words, b: Words) -> None:
    x, y = halves(a), halves(b)
    want = np.fmin(x, y)
    got = halves(result("HMNMX2 R0, R2, R4, PT", a, b))
    assert np.array_equal(want, got, equal_nan=True)
    assert np.array_equal(
        np.maximum(x, y), halves(result("HMNMX2.NAN R0, R2, R4, !PT", a, b)), equal_nan=True
    )
    zeros = np.full(32, 0x8000_0000, np.uint32)  # -0 above, +0 below
    assert result("HMNMX2 R0, R2, RZ, PT", zeros)[0] == 0x8000_0000
    assert result("HMNMX2 R0, R2, RZ, !PT", zeros)[0] == 0


def test_immediates_are_a_pair_with_the_upper_half_first() -> None:
    one = np.full(32, 0x3C00_3C00, np.uint32)
    assert result("HADD2 R0, R2, 1, 2", one)[0] == 0x4000_4200
    assert result("HFMA2 R0, R2, 2, 4, -R2", one)[0] == 0x3C00_4200
    assert result("HFMA2.MMA R0, -RZ, RZ, 1, 2")[0] == 0x3C00_4000
    assert result("HFMA2.BF16_V2 R0, -RZ, RZ, 1, 2")[0] == 0x3F80_4000


def test_saturation_relu_and_flushing() -> None:
    values = np.full(32, 0xC000_4000, np.uint32)  # -2 above, 2 below
    nan = np.full(32, 0x7E00_8001, np.uint32)  # NaN above, a negative denormal below
    assert result("HADD2.SAT R0, R2, -RZ", values)[0] == 0x0000_3C00
    assert result("HADD2.SAT R0, R2, -RZ", nan)[0] == 0
    assert result("HFMA2.RELU R0, R2, 1, 1, -RZ", values)[0] == 0x0000_4000
    assert result("HFMA2.RELU R0, R2, 1, 1, -RZ", nan)[0] == 0x7FFF_0000
    assert result("HADD2.FTZ R0, R2, -RZ", nan)[0] == 0x7FFF_8000
    assert result("HADD2 R0, R2, -RZ", nan)[0] == 0x7FFF_8001


def test_conversions_from_and_to_binary16() -> None:
    value = np.full(32, 0xC0E0_3D00, np.uint32)  # -2.4375 above, 1.25 below
    assert result("F2I.F16.TRUNC.NTZ R0, R2", value)[0] == 1
    assert result("F2I.F16.FLOOR.NTZ R0, R2.H1", value).view(np.int32)[0] == -3
    assert result("FRND.F16.CEIL R0, R2", value)[0] == 0x4000
    assert result("F2F.F64.F16 R0, R2", value, destination=1)[0] == 0x3FF4_0000
    assert result("I2F.F16 R0, R2", np.full(32, -2049, np.int32).view(np.uint32))[0] == 0xE800
    assert result("I2F.F16 R0, R2", np.full(32, 70000, np.uint32))[0] == 0x7C00
    double = np.full(32, 0x3FF0_0200, np.uint32)  # half an ulp above one, and a bit more below it
    e = Experiment("F2F.F16.F64 R0, R2\nMUFU.EX2.F16 R1, R5")
    e.run({2: np.full(32, 1), 3: double, 5: np.full(32, 0x4200)})
    assert e.register(0)[0] == 0x3C01
    assert e.register(1)[0] == 0x4800
