"""The 21 control bits: where they sit in the word and how CuAssembler spells them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.isa import control_bits
from warpwise.isa.errors import InputError
from warpwise.isa.program import NO_COUNTER, Control

counters = st.sampled_from([0, 1, 2, 3, 4, 5, NO_COUNTER])
controls = st.builds(
    Control,
    stall=st.integers(0, 15),
    yield_=st.booleans(),
    write_counter=counters,
    read_counter=counters,
    wait_mask=st.integers(0, 63),
    reuse=st.integers(0, 15),
)


@given(controls)
def test_encoding_and_decoding_are_inverse(control):
    word = control_bits.encode(control)
    assert control_bits.decode(word) == control
    assert word & ((1 << 105) - 1) == 0
    assert word < 1 << 126


@given(controls, st.integers(0, (1 << 105) - 1))
def test_the_rest_of_the_word_does_not_matter(control, rest):
    assert control_bits.decode(control_bits.encode(control) | rest) == control


@given(controls)
def test_text_keeps_all_but_reuse(control):
    parsed = control_bits.parse(control_bits.format(control))
    assert control_bits.encode(parsed) == control_bits.encode(control) & ~(15 << 122)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("[B------:R-:W-:-:S01]", 0b000000_111_111_1_0001),
        ("[B------:R-:W-:Y:S00]", 0b000000_111_111_0_0000),  # yield asked for: bit is 0
        ("[B0-----:R-:W-:-:S05]", 0b000001_111_111_1_0101),
        ("[B-----5:R3:W2:-:S15]", 0b100000_011_010_1_1111),
    ],
)
def test_text_against_bits(text, bits):
    assert control_bits.encode(control_bits.parse(text)) == bits << 105
    assert control_bits.format(control_bits.decode(bits << 105)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[B------:R-:W-:S01]", r"not of the form \[B------:R-:W-:-:S01\]"),
        ("[B------:R6:W-:-:S01]", "not of the form"),
        ("[B------:R-:W-:-:S16]", "stall count 16; at most 15"),
        ("[B1-----:R-:W-:-:S01]", "counter 1 at the place of counter 0"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(InputError, match=message):
        control_bits.parse(text)
