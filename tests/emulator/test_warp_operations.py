"""Votes, shuffles and moves between lanes and the uniform datapath."""

from __future__ import annotations

import numpy as np
import pytest
from emulator.experiments import LANES, Experiment

from warpwise.traces.emulator import UnsupportedError


def test_vote_counts_only_lanes_that_execute() -> None:
    e = Experiment("""
        ISETP.LT.AND P0, PT, R2, 0x10, PT
        ISETP.GE.AND P1, PT, R2, 0x8, PT
        @P1 VOTE.ANY R3, P2, P0
        @P1 VOTE.ALL P3, P0
        @!P1 VOTE.ALL P3, P0
        VOTEU.ANY UR4, UPT, P0
    """)
    e.run({2: LANES})
    assert e.register(3).tolist() == [0] * 8 + [0xFF00] * 24
    assert e.predicate(2).tolist() == [False] * 8 + [True] * 24
    assert e.predicate(3).tolist() == [True] * 8 + [False] * 24
    assert e.state.uniforms[4, 0] == 0xFFFF


SHUFFLES = {
    "IDX": ("0x3", "0x1f", lambda i: (3, True)),
    "UP": ("0x2", "RZ", lambda i: (i - 2, True) if i >= 2 else (i, False)),
    "DOWN": ("0x4", "0x1f", lambda i: (i + 4, True) if i < 28 else (i, False)),
    "BFLY": ("0x1", "0x1f", lambda i: (i ^ 1, True)),
    "IDX segment": ("0x1", "0x181f", lambda i: (i // 8 * 8 + 1, True)),
    "DOWN segment": ("0x2", "0x181f", lambda i: (i + 2, True) if i % 8 < 6 else (i, False)),
}


@pytest.mark.parametrize("name", SHUFFLES)
def test_shfl_reads_another_lane(name: str) -> None:
    by, clamp, expected = SHUFFLES[name]
    e = Experiment(f"MOV R6, {clamp}\nSHFL.{name.split()[0]} P0, R0, R2, {by}, R6")
    e.run({2: LANES * 10})
    assert e.register(0).tolist() == [10 * expected(i)[0] for i in range(32)]
    assert e.predicate(0).tolist() == [expected(i)[1] for i in range(32)]


def test_match_finds_lanes_with_the_same_value() -> None:
    e = Experiment(
        "ISETP.LT.AND P0, PT, R2, 0x18, PT\n@P0 MATCH.ANY R0, R4\n@P0 MATCH.ANY.U64 R1, R4\n"
        "MATCH.ALL P1, R6, R8\nMATCH.ALL P2, R7, R4"
    )
    e.run({2: LANES, 4: LANES % 2, 5: LANES // 8, 8: LANES * 0 + 9})
    same = [sum(1 << j for j in range(24) if j % 2 == i % 2) for i in range(24)]
    assert e.register(0).tolist() == same + [0] * 8
    octet = [same[i] & 0xFF << i // 8 * 8 for i in range(24)]
    assert e.register(1).tolist() == octet + [0] * 8
    assert e.register(6).tolist() == [0xFFFF_FFFF] * 32
    assert e.predicate(1).all()
    assert not e.predicate(2).any()
    assert not e.register(7).any()


def test_r2ur_takes_the_lowest_lane_that_executes() -> None:
    e = Experiment("ISETP.GE.AND P0, PT, R2, 0x5, PT\n@P0 R2UR UR4, R2\nMOV R3, UR4")
    e.run({2: LANES})
    assert e.register(3).tolist() == [5] * 32


def test_redux_combines_lanes() -> None:
    e = Experiment("REDUX.SUM UR4, R2\nREDUX.MAX.S32 UR5, R3\nREDUX.MIN UR6, R3")
    e.run({2: LANES, 3: np.where(LANES % 2, LANES, -LANES)})
    assert e.state.uniforms[4:7, 0].tolist() == [496, 31, 0]


def test_special_registers_number_threads() -> None:
    e = Experiment("S2R R1, SR_TID.X\nS2R R2, SR_CTAID.X\nS2R R3, SR_LTMASK\nCS2R R4, SRZ")
    e.run({5: LANES})
    assert e.register(1).tolist() == list(range(32))
    assert e.register(2).tolist() == [0] * 32
    assert e.register(3).tolist() == [2**i - 1 for i in range(32)]
    assert not e.register(5).any()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("TMML R0, R2, 0x0, 2D, 0xf", "opcode TMML"),
        ("HMMA.884.F32.STEP0 R4, R8, R12, R4", "modifier .884 of HMMA"),
        ("IADD3.FOO R0, R1, R2, R3", "modifier .FOO of IADD3"),
        ("S2R R0, SR_VIRTID", "special register SR_VIRTID"),
        ("LDG.E P0, R0, [R2.64]", "LDG with predicate P0"),
        ("IADD3 R0, R1, c[0x7][0x10], RZ", "constant bank of c[0x7][0x10]"),
        ("BAR.SCAN 0x0", "modifier .SCAN of BAR"),
        ("IADD3 R0, R1, R2.H0_H0, RZ", "suffix .H0_H0 of operand"),
    ],
)
def test_what_has_no_semantics_is_named_before_anything_runs(text: str, reason: str) -> None:
    e = Experiment(f"MOV R1, 0x1\n{text}")
    with pytest.raises(UnsupportedError, match="does not execute") as error:
        e.run()
    assert reason in str(error.value)
    assert "0x0010" in str(error.value)
    assert not e.register(1).any()


def test_unreachable_code_may_be_anything() -> None:
    e = Experiment("BRA end\nTMML R0, R2, 0x0, 2D, 0xf\nend: MOV R1, 0x1")
    e.run()
    assert e.register(1).all()
