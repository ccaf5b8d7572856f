"""Packed halves, bit for bit against numpy's binary16 where it rounds once."""

import numpy as np
import pytest
from emulator.experiments import Experiment, few, result
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

BITS = arrays(np.uint32, 32, elements=st.integers(0, 0xFFFF_FFFF))
SPECIAL = np.array([0, 0x8000, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0x7C00, 0xFC00, 0x7E00], np.uint32)


def halves(words):
    return words.view(np.uint16).view(np.float16).astype(float)


def packed(values):
    with np.errstate(all="ignore"):
        rounded = values.astype(np.float16)
    bits = np.where(np.isnan(rounded), 0x7FFF, rounded.view(np.uint16)).astype(np.uint16)
    return bits.view(np.uint32)


@few
@given(BITS, BITS)
def test_hadd2_and_hmul2(a, b):
    with np.errstate(all="ignore"):
        assert (result("HADD2 R0, R2, R4", a, b) == packed(halves(a) + halves(b))).all()
        assert (result("HADD2 R0, R2, -R4", a, b) == packed(halves(a) - halves(b))).all()
        assert (result("HMUL2 R0, R2, R4", a, b) == packed(halves(a) * halves(b))).all()


@few
@given(BITS, BITS, BITS)
def test_hfma2_rounds_once(a, b, c):
    """In binary128, where the product and the sum are exact."""
    with np.errstate(all="ignore"):
        exact = halves(a).astype(np.longdouble) * halves(b) + halves(c)
        assert (result("HFMA2 R0, R2, R4, R6", a, b, c) == packed(exact)).all()


def test_special_numbers():
    a, b = (np.resize(n, 32) for n in (SPECIAL, np.repeat(SPECIAL, 3)))
    with np.errstate(all="ignore"):
        assert (result("HADD2 R0, R2, R4", a, b) == packed(halves(a) + halves(b))).all()


def test_selections_and_binary32():
    a, b = (np.arange(32, dtype=np.uint32) * k + 0x3C004000 for k in (0x10003, 0x20001))
    low, high = halves(a)[::2], halves(b)[1::2]
    assert (result("HADD2.F32 R0, R2.H0_H0, R4.H1_H1", a, b).view(np.float32) == low + high).all()
    twice = result("HADD2 R0, R2.H0_H0, R4.H1_H1", a, b)
    assert (twice == packed(np.repeat(low + high, 2))).all()


def test_two_immediates_are_one_operand():
    """How compilers make small integers: the high half comes first."""
    assert (result("HFMA2.MMA R0, -RZ, RZ, 0, 2.384185791015625e-07") == 4).all()
    assert (result("HADD2 R0, R2, 1, 2", np.zeros(32, np.uint32)) == 0x3C004000).all()


def test_saturation():
    a = np.full(32, 0xC4004400, np.uint32)  # -4, 4
    assert (result("HADD2.SAT R0, R2, RZ", a) == 0x00003C00).all()


@pytest.mark.parametrize("mask", [0x7F, 0x03, 0x40])
def test_predicates_to_a_register_and_back(mask):
    """P2R takes the bits of the mask from the predicates, R2P gives them back."""
    lanes = np.arange(32, dtype=np.uint32) * 4 + 1
    there = Experiment(f"R2P PR, R2, {mask:#x}\nP2R R0, PR, R4, 0x7f")
    there.run({2: lanes, 4: np.full(32, 0xFFFFFF00, np.uint32)})
    assert (there.register(0) == (0xFFFFFF00 | lanes & mask)).all()
