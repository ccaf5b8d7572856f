"""Binary64 instructions against exact fractions, rounded once."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from emulator.experiments import Experiment, few
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

number = st.one_of(
    st.floats(width=64),
    st.floats(-4, 4),
    st.sampled_from([0.0, -0.0, 1.0, 5e-324, 2.3e-308, 1.7e308, math.inf, math.nan]),
)
lanes = st.lists(number, min_size=32, max_size=32).map(lambda v: np.array(v, np.float64))


def run(instruction: str, *sources: Doubles) -> Doubles:
    """R0:R1 after an instruction whose sources are in R2, R4, R6."""
    e = Experiment(instruction)
    halves = {}
    for i, values in enumerate(sources):
        halves[2 + 2 * i], halves[3 + 2 * i] = values.view(np.uint32).reshape(-1, 2).T
    e.run(halves)
    return np.stack([e.register(0), e.register(1)], axis=1).view(np.float64)[:, 0]


def same(a: Doubles, b: Doubles) -> bool:
    return bool(np.all((a == b) & (np.signbit(a) == np.signbit(b)) | (np.isnan(a) & np.isnan(b))))


def rounded(exact: Fraction, mode: str) -> float:
    """The binary64 next to a non-zero fraction."""
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf if exact > 0 else -math.inf
    too_high = nearest == math.inf or (nearest != -math.inf and Fraction(nearest) > exact)
    too_low = nearest == -math.inf or (nearest != math.inf and Fraction(nearest) < exact)
    if too_low and (mode == "RP" or (mode == "RZ" and exact < 0)):
        return math.nextafter(nearest, math.inf)
    if too_high and (mode == "RM" or (mode == "RZ" and exact > 0)):
        return math.nextafter(nearest, -math.inf)
    return nearest


def fused(a: float, b: float, c: float, mode: str) -> float:
    if not all(map(math.isfinite, (a, b, c))) or 0 in (a, b):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return rounded(exact, mode) if exact else 0.0


@pytest.mark.parametrize("mode", ["RN", "RZ", "RM", "RP"])
@few
@given(a=lanes, b=lanes, c=lanes)
def test_dfma_rounds_once(mode: str, a: Doubles, b: Doubles, c: Doubles) -> None:
    got = run("DFMA R0, R2, R4, R6" if mode == "RN" else f"DFMA.{mode} R0, R2, R4, R6", a, b, c)
    expected = [fused(*v, mode) for v in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)]
    exact = np.array(expected)
    assert np.all((got == exact) | (np.isnan(got) & np.isnan(exact)))


@few
@given(lanes, lanes)
def test_dadd_and_dmul(a: Doubles, b: Doubles) -> None:
    with np.errstate(all="ignore"):
        assert same(run("DADD R0, R2, -R4", a, b), a - b)
        assert same(run("DMUL R0, |R2|, R4", a, b), abs(a) * b)


@few
@given(lanes, lanes)
def test_dsetp_compares(a: Doubles, b: Doubles) -> None:
    e = Experiment("DSETP.LT.AND P0, PT, R2, R4, PT\nDSETP.GEU.AND P1, PT, R2, R4, PT")
    a_low, a_high = a.view(np.uint32).reshape(-1, 2).T
    b_low, b_high = b.view(np.uint32).reshape(-1, 2).T
    e.run({2: a_low, 3: a_high, 4: b_low, 5: b_high})
    assert e.predicate(0).tolist() == (a < b).tolist()
    assert e.predicate(1).tolist() == (~(a < b)).tolist()


def test_conversions_from_and_to_binary64() -> None:
    values = np.resize([1.5, -2.7, 1e10, 0.1], 32)
    e = Experiment(
        "F2F.F32.F64 R4, R2\nF2F.F64.F32 R6, R4\nF2I.F64.TRUNC R8, R2\nI2F.F64 R10, R8\n"
        "MUFU.RCP64H R13, R3"
    )
    low, high = values.view(np.uint32).reshape(-1, 2).T
    e.run({2: low, 3: high})
    single = values.astype(np.float32)
    assert np.array_equal(e.register(4).view(np.float32), single)
    integers = np.clip(np.trunc(values), -(2**31), 2**31 - 1)
    assert e.register(8).view(np.int32).tolist() == integers.tolist()
    for register, expected in ((6, single.astype(np.float64)), (10, integers)):
        pair = np.stack([e.register(register), e.register(register + 1)], axis=1)
        assert np.array_equal(pair.view(np.float64)[:, 0], expected)
    reciprocal = np.stack([np.zeros(32, np.uint32), e.register(13)], axis=1).view(np.float64)[:, 0]
    assert np.allclose(reciprocal, 1 / values, rtol=2**-19)
