"""Integer instructions against Python's unbounded integers."""

from __future__ import annotations

import numpy as np
import pytest
from emulator.experiments import Experiment, Words, few, result
from hypothesis import given
from hypothesis import strategies as st

EDGES = [0, 1, 2, 31, 32, 33, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]
word = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**32 - 1))
lanes = st.lists(word, min_size=32, max_size=32).map(lambda v: np.array(v, np.uint32))
MASK = 2**32 - 1


def signed(value: int) -> int:
    return value - 2**32 if value >> 31 else value


def ints(values: Words) -> list[int]:
    return [int(v) for v in values]


def pairs(low: Words, high: Words) -> list[int]:
    return [int(h) << 32 | int(low_) for low_, h in zip(low, high, strict=True)]


@few
@given(lanes, lanes, lanes, lanes, lanes, lanes)
def test_iadd3_x_adds_96_bits_in_chains_of_words(
    a0: Words, a1: Words, b0: Words, b1: Words, c0: Words, c1: Words
) -> None:
    e = Experiment("IADD3 R0, P0, P1, R2, R4, R6\nIADD3.X R1, R3, R5, R7, P0, P1")
    e.run({2: a0, 3: a1, 4: b0, 5: b1, 6: c0, 7: c1})
    expected = [
        (x + y + z) % 2**64
        for x, y, z in zip(pairs(a0, a1), pairs(b0, b1), pairs(c0, c1), strict=True)
    ]
    assert pairs(e.register(0), e.register(1)) == expected


@few
@given(lanes, lanes, lanes, lanes)
def test_iadd3_subtracts_64_bits_with_a_complemented_high_word(
    a0: Words, a1: Words, b0: Words, b1: Words
) -> None:
    e = Experiment("IADD3 R0, P0, R2, -R4, RZ\nIADD3.X R1, R3, ~R5, RZ, P0, !PT")
    e.run({2: a0, 3: a1, 4: b0, 5: b1})
    expected = [(x - y) % 2**64 for x, y in zip(pairs(a0, a1), pairs(b0, b1), strict=True)]
    assert pairs(e.register(0), e.register(1)) == expected


@few
@given(lanes, lanes, lanes, st.integers(0, 255))
def test_lop3_looks_up_every_bit(a: Words, b: Words, c: Words, table: int) -> None:
    expected = np.zeros(32, np.uint32)
    for bit in range(32):
        index = (a >> bit & 1) * 4 + (b >> bit & 1) * 2 + (c >> bit & 1)
        expected |= (np.uint32(table) >> index & np.uint32(1)) << np.uint32(bit)
    assert np.array_equal(expected, result(f"LOP3.LUT R0, R2, R4, R6, {table:#x}, !PT", a, b, c))


def test_lop3_predicate_tells_whether_a_bit_is_set() -> None:
    e = Experiment("LOP3.LUT P0, RZ, R2, 0x2, RZ, 0xc0, !PT")
    e.run({2: np.arange(32)})
    assert e.predicate(0).tolist() == [bool(i & 2) for i in range(32)]


@few
@given(st.integers(0, 255), st.integers(0, 7))
def test_plop3_has_two_tables(table: int, index: int) -> None:
    a, b, c = (("" if index >> shift & 1 else "!") + "PT" for shift in (2, 1, 0))
    e = Experiment(f"PLOP3.LUT P0, P1, {a}, {b}, {c}, {table:#x}, {table ^ 0xFF:#x}")
    e.run()
    assert e.predicate(0).all() == bool(table >> index & 1)
    assert e.predicate(1).all() != bool(table >> index & 1)


SHIFTS = {
    "SHF.L.U32 R0, R2, R4, RZ": lambda a, s, c: a << min(s, 32),
    "SHF.L.U32.HI R0, R2, R4, R6": lambda a, s, c: ((c << 32 | a) << min(s, 32)) >> 32,
    "SHF.L.W.U32.HI R0, R2, R4, R6": lambda a, s, c: ((c << 32 | a) << s % 32) >> 32,
    "SHF.L.U64.HI R0, R2, R4, R6": lambda a, s, c: ((c << 32 | a) << min(s, 64)) >> 32,
    "SHF.R.U32.HI R0, RZ, R4, R6": lambda a, s, c: c >> min(s, 32),
    "SHF.R.S32.HI R0, RZ, R4, R6": lambda a, s, c: signed(c) >> min(s, 32),
    "SHF.R.U64 R0, R2, R4, R6": lambda a, s, c: (c << 32 | a) >> min(s, 64),
    "SHF.R.W.U32 R0, R2, R4, R6": lambda a, s, c: (c << 32 | a) >> s % 32,
    "SHF.R.S64 R0, R2, R4, R6": lambda a, s, c: (signed(c) << 32 | a) >> min(s, 64),
}


@pytest.mark.parametrize("text", SHIFTS)
@few
@given(a=lanes, s=lanes, c=lanes)
def test_shf_is_a_funnel_shift(text: str, a: Words, s: Words, c: Words) -> None:
    s = np.where(s % 3, s % 70, s)  # most amounts near the limits
    expected = [SHIFTS[text](*v) & MASK for v in zip(ints(a), ints(s), ints(c), strict=True)]
    assert ints(result(text, a, s, c)) == expected


@few
@given(lanes, lanes, lanes, lanes)
def test_imad_low_wide_and_high(a: Words, b: Words, c0: Words, c1: Words) -> None:
    e = Experiment(
        "IMAD R0, R2, R3, R6\n"
        "IMAD.WIDE R10, R2, R3, R6\n"
        "IMAD.WIDE.U32 R12, P0, R2, R3, R6\n"
        "IMAD.HI R14, R2, R3, R6\n"
        "IMAD.HI.U32 R15, R2, R3, R6"
    )
    e.run({2: a, 3: b, 6: c0, 7: c1})
    c = pairs(c0, c1)
    unsigned = [x * y + z for x, y, z in zip(ints(a), ints(b), c, strict=True)]
    two = [signed(x) * signed(y) + z for x, y, z in zip(ints(a), ints(b), c, strict=True)]
    assert ints(e.register(0)) == [x & MASK for x in unsigned]
    assert pairs(e.register(10), e.register(11)) == [x % 2**64 for x in two]
    assert pairs(e.register(12), e.register(13)) == [x % 2**64 for x in unsigned]
    assert e.predicate(0).tolist() == [x >= 2**64 for x in unsigned]
    assert ints(e.register(14)) == [x >> 32 & MASK for x in two]
    assert ints(e.register(15)) == [x >> 32 & MASK for x in unsigned]


@few
@given(lanes, lanes, lanes, lanes, st.integers(0, 31))
def test_lea_and_lea_hi_scale_an_index(
    a0: Words, a1: Words, b0: Words, b1: Words, shift: int
) -> None:
    e = Experiment(
        f"LEA R0, P0, R2, R4, {shift:#x}\n"
        f"LEA.HI.X R1, R2, R5, R3, {shift:#x}, P0\n"
        f"LEA.HI.X.SX32 R8, R2, R5, {shift:#x}, P0"
    )
    e.run({2: a0, 3: a1, 4: b0, 5: b1})
    base = pairs(b0, b1)
    expected = [((x << shift) + y) % 2**64 for x, y in zip(pairs(a0, a1), base, strict=True)]
    extended = [((signed(x) << shift) + y) % 2**64 for x, y in zip(ints(a0), base, strict=True)]
    assert pairs(e.register(0), e.register(1)) == expected
    assert pairs(e.register(0), e.register(8)) == extended


@few
@given(lanes, lanes, lanes)
def test_prmt_picks_bytes(a: Words, selector: Words, c: Words) -> None:
    def permute(low: int, select: int, high: int) -> int:
        octets = (high << 32 | low).to_bytes(8, "little")
        picked = []
        for position in range(4):
            nibble = select >> 4 * position & 15
            octet = octets[nibble & 7]
            picked.append((255 if octet >> 7 else 0) if nibble & 8 else octet)
        return int.from_bytes(bytes(picked), "little")

    expected = [permute(*v) for v in zip(ints(a), ints(selector), ints(c), strict=True)]
    assert ints(result("PRMT R0, R2, R4, R6", a, selector, c)) == expected


COMPARISONS = {
    "LT": int.__lt__, "LE": int.__le__, "GT": int.__gt__,
    "GE": int.__ge__, "EQ": int.__eq__, "NE": int.__ne__,
}  # fmt: skip


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("unsigned", [".U32", ""])
@few
@given(a0=lanes, a1=lanes, b0=lanes, b1=lanes, equal=st.booleans())
def test_isetp_ex_compares_64_bits(
    name: str, unsigned: str, a0: Words, a1: Words, b0: Words, b1: Words, equal: bool
) -> None:
    b1 = a1 if equal else b1
    e = Experiment(
        f"ISETP.{name}.U32.AND P0, PT, R2, R4, PT\n"
        f"ISETP.{name}{unsigned}.AND.EX P1, P2, R3, R5, PT, P0"
    )
    e.run({2: a0, 3: a1, 4: b0, 5: b1})
    bias = 0 if unsigned else 2**63  # turns two's complement into the order of the numbers
    wide = [
        ((x + bias) % 2**64, (y + bias) % 2**64)
        for x, y in zip(pairs(a0, a1), pairs(b0, b1), strict=True)
    ]
    expected = [COMPARISONS[name](x, y) for x, y in wide]
    assert e.predicate(1).tolist() == expected
    assert e.predicate(2).tolist() == [not x for x in expected]


@few
@given(lanes, lanes)
def test_imnmx_selects_by_its_predicate(a: Words, b: Words) -> None:
    assert np.array_equal(np.minimum(a, b), result("IMNMX.U32 R0, R2, R4, PT", a, b))
    largest = np.maximum(a.view(np.int32), b.view(np.int32)).view(np.uint32)
    assert np.array_equal(largest, result("IMNMX R0, R2, R4, !PT", a, b))


@few
@given(lanes)
def test_bit_counts(a: Words) -> None:
    assert ints(result("POPC R0, R2", a)) == [x.bit_count() for x in ints(a)]
    assert ints(result("FLO.U32 R0, R2", a)) == [(x.bit_length() - 1) & MASK for x in ints(a)]
    leading = [32 - x.bit_length() if x else MASK for x in ints(a)]
    assert ints(result("FLO.U32.SH R0, R2", a)) == leading
    assert ints(result("BREV R0, R2", a)) == [int(f"{x:032b}"[::-1], 2) for x in ints(a)]
    assert ints(result("IABS R0, R2", a)) == [abs(signed(x)) & MASK for x in ints(a)]


@few
@given(lanes, st.integers(1, 32))
def test_sgxt_extends_the_sign(a: Words, size: int) -> None:
    low = [x % 2**size for x in ints(a)]
    extended = [(x - 2**size if x >> (size - 1) else x) & MASK for x in low]
    assert ints(result(f"SGXT R0, R2, {size:#x}", a)) == extended
    assert ints(result(f"SGXT.U32 R0, R2, {size:#x}", a)) == low


def test_select_and_move() -> None:
    e = Experiment(
        "ISETP.GT.AND P0, PT, R2, 0xf, PT\nSEL R0, R2, 0x63, P0\nMOV R4, c[0x0][0x0]\n"
        "@!P0 IMAD.MOV.U32 R4, RZ, RZ, -0x5"
    )
    e.run({2: np.arange(32)})
    assert ints(e.register(0)) == [x if x > 15 else 99 for x in range(32)]
    assert ints(e.register(4)) == [32 if x > 15 else MASK - 4 for x in range(32)]


def test_uniform_datapath_shares_the_semantics() -> None:
    e = Experiment(
        "UMOV UR4, 0xfffffff0\n"
        "UIADD3 UR5, UP0, UR4, 0x20, URZ\n"
        "UIADD3.X UR6, URZ, 0x7, URZ, UP0, !UPT\n"
        "UISETP.GT.U32.AND UP1, UPT, UR4, UR5, UPT\n"
        "USEL UR7, UR5, 0x1, UP1\n"
        "ULOP3.LUT UR8, UR4, 0xff, URZ, 0xc0, !UPT\n"
        "UIMAD.WIDE.U32 UR10, UR4, UR4, URZ\n"
        "@UP1 UMOV UR9, 0x9\n"
        "IMAD R0, R2, UR5, R2\n"
        "ULDC.64 UR12, c[0x0][0x0]"
    )
    e.run({2: np.arange(32)})
    assert e.state.uniforms[4:14, 0].tolist() == [
        0xFFFF_FFF0, 0x10, 8, 0x10, 0xF0, 9, 0x100, 0xFFFF_FFE0, 32, 1,
    ]  # fmt: skip
    assert ints(e.register(0)) == [x * 17 for x in range(32)]


UNIFORM = (
    "IADD3 R0, R2, -R4, R6", "IMAD R0, R2, R4, R6", "LEA R0, R2, R4, 0x5",
    "LEA.HI R0, R2, R4, R6, 0x5", "SHF.L.U32 R0, R2, R4, RZ", "SHF.R.S32.HI R0, RZ, R4, R6",
    "LOP3.LUT R0, R2, R4, R6, 0x96, !PT", "IMNMX R0, R2, R4, !PT", "PRMT R0, R2, R4, R6",
    "POPC R0, R2", "FLO R0, R2", "BREV R0, R2", "SGXT R0, R2, 0x9", "SEL R0, R2, R4, !PT",
)  # fmt: skip


@pytest.mark.parametrize("text", UNIFORM)
@few
@given(values=st.tuples(word, word, word))
def test_uniform_instructions_do_what_the_vector_ones_do(
    text: str, values: tuple[int, int, int]
) -> None:
    moves = [f"UMOV UR{2 + 2 * i}, {value:#x}" for i, value in enumerate(values)]
    opcode, operands = text.split(" ", 1)
    e = Experiment(
        "\n".join([*moves, f"U{opcode} {operands.replace('R', 'UR').replace('PT', 'UPT')}"])
    )
    e.run()
    used = values if "R6" in text else values[:2] if "R4" in text else values[:1]
    vector = result(text, *(np.full(32, value, np.uint32) for value in used))
    assert e.state.uniforms[0, 0] == vector[0]


@few
@given(lanes, st.integers(0, 127), st.integers(0, 127))
def test_p2r_and_r2p_move_the_predicates_of_a_mask(a: Words, out: int, back: int) -> None:
    set_all = [f"LOP3.LUT P{i}, RZ, R2, {1 << (i + 8):#x}, RZ, 0xc0, !PT" for i in range(7)]
    e = Experiment("\n".join([*set_all, f"P2R R0, PR, R4, {out:#x}", f"R2P PR, R2, {back:#x}"]))
    e.run({2: a, 4: ~a})
    predicates = (a >> 8) & 127
    assert np.array_equal(e.register(0), (predicates & out) | (~a & ~np.uint32(out)))
    expected = (a & back) | (predicates & ~np.uint32(back))
    for i in range(7):
        assert np.array_equal(e.predicate(i), expected >> i & 1)


@few
@given(lanes, lanes, lanes)
def test_dot_products_and_distances_of_bytes(a: Words, b: Words, c: Words) -> None:
    x, y = a.view(np.int8).reshape(32, 4).astype(int), b.view(np.int8).reshape(32, 4).astype(int)
    ux, uy, halves = x & 255, y & 255, a.view(np.uint16).reshape(32, 2).astype(int)
    wrapped = c.astype(np.int64)
    cases = {
        "IDP.4A.S8.S8": (x * y).sum(axis=1) + wrapped,
        "IDP.4A.U8.S8": (ux * y).sum(axis=1) + wrapped,
        "IDP.2A.HI.U16.U8": (halves * uy[:, 2:]).sum(axis=1) + wrapped,
        "IDP.2A.LO.U16.S8": (halves * y[:, :2]).sum(axis=1) + wrapped,
        "VABSDIFF4.U8.ACC": abs(ux - uy).sum(axis=1) + wrapped,
        "VABSDIFF.U32": abs(a.astype(np.int64) - b) + wrapped,
    }
    for text, expected in cases.items():
        got = result(f"{text} R0, R2, R4, R6", a, b, c)
        assert np.array_equal(got, expected & MASK), text
    distances = abs(x - y).astype(np.uint8)
    assert np.array_equal(
        result("VABSDIFF4.S8 R0, R2, R4, RZ", a, b), distances.view(np.uint32)[:, 0]
    )
