"""Lanes part at branches and meet again only where the code says so."""

from __future__ import annotations

import numpy as np
import pytest
from emulator.experiments import LANES, Experiment

from warpwise.traces.emulator import EmulationError, UnsupportedError
from warpwise.traces.emulator.recorder import PathPool
from warpwise.traces.kernel import Path

FULL = 0xFFFF_FFFF


def path_of(experiment: Experiment) -> Path:
    """The path of the first warp."""
    recorder = experiment.run()
    return recorder.ctas(0, experiment.launch.warps_per_cta, PathPool())[0].warps[0].path


IF_ELSE = """
    S2R R1, SR_LANEID
    ISETP.GE.AND P0, PT, R1, 0x8, PT
    BSSY B0, done
    @P0 BRA other
    IADD3 R2, R1, 0x64, RZ
    BRA meet
    other: IADD3 R2, R1, 0xc8, RZ
    meet: BSYNC B0
    done: MOV R3, R2
"""


def test_both_sides_of_a_branch_run_one_after_the_other() -> None:
    e = Experiment(IF_ELSE)
    path = path_of(e)
    assert e.register(3).tolist() == [i + (100 if i < 8 else 200) for i in range(32)]
    low, high = 0xFF, FULL & ~0xFF
    sides = [low, low, high, high, low]  # the lower PC goes first after each branch
    assert path.pcs.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9]
    assert path.active.tolist() == [FULL] * 4 + sides + [FULL] * 2
    assert path.executed.tolist() == [FULL] * 3 + [high] + sides + [FULL] * 2


def test_guards_show_in_the_executed_mask() -> None:
    e = Experiment("S2R R1, SR_LANEID\nISETP.LT.AND P0, PT, R1, 0x4, PT\n@!P0 MOV R2, 0x7")
    path = path_of(e)
    assert path.active.tolist() == [FULL] * 4
    assert path.executed.tolist() == [FULL, FULL, FULL & ~0xF, FULL]
    assert e.register(2).tolist() == [0] * 4 + [7] * 28


NESTED_LOOPS = """
    S2R R1, SR_LANEID
    MOV R2, RZ
    MOV R3, RZ
    BSSY B0, end
    outer: MOV R4, RZ
    BSSY B1, inner_end
    inner: IADD3 R2, R2, 0x1, RZ
    IADD3 R4, R4, 0x1, RZ
    ISETP.LE.AND P0, PT, R4, R3, PT
    @P0 BRA inner
    BSYNC B1
    inner_end: IADD3 R3, R3, 0x1, RZ
    ISETP.LE.AND P0, PT, R3, R1, PT
    @P0 BRA outer
    BSYNC B0
    end: MOV R5, R2
"""


def test_nested_loops_with_trip_counts_of_each_lane() -> None:
    e = Experiment(NESTED_LOOPS)
    path = path_of(e)
    assert e.register(5).tolist() == [(i + 1) * (i + 2) // 2 for i in range(32)]
    assert path.active[path.pcs == 15].tolist() == [FULL]
    assert path.active[-1] == FULL


def test_inner_regions_of_both_sides_may_use_the_same_barrier() -> None:
    side = """
    ISETP.NE.AND P1, PT, R3, {bit}, PT
    BSSY B1, {name}_end
    @P1 BRA {name}_join
    IADD3 R2, R2, {value}, RZ
    {name}_join: BSYNC B1
    {name}_end: IADD3 R2, R2, {value}, RZ
    """
    e = Experiment(
        "S2R R1, SR_LANEID\nLOP3.LUT R3, R1, 0x1, RZ, 0xc0, !PT\n"
        "ISETP.GE.AND P0, PT, R1, 0x10, PT\nBSSY B0, end\n@P0 BRA other\n"
        + side.format(bit="RZ", name="a", value="0x1")
        + "BRA meet\nother: NOP\n"
        + side.format(bit="0x1", name="b", value="0x64")
        + "meet: BSYNC B0\nend: MOV R4, R2"
    )
    path = path_of(e)
    expected = [(2 - i % 2) if i < 16 else 100 * (1 + i % 2) for i in range(32)]
    assert e.register(4).tolist() == expected
    assert path.active[-1] == FULL


def test_break_takes_lanes_out_of_a_region() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.EQ.AND P0, PT, R1, 0x3, PT
        ISETP.LT.AND P1, PT, R1, 0x10, PT
        BSSY B0, after
        @P0 BREAK B0
        @P0 BRA out
        @P1 BRA meet
        IADD3 R2, R2, 0x1, RZ
        meet: BSYNC B0
        after: IADD3 R2, R2, 0xa, RZ
        out: IADD3 R2, R2, 0x64, RZ
    """)
    path = path_of(e)
    assert e.register(2).tolist() == [110 + (i >= 16) - 10 * (i == 3) for i in range(32)]
    assert path.active[path.pcs == 9].tolist() == [FULL & ~8]


def test_exit_takes_lanes_out_of_every_barrier() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x5, PT
        BSSY B0, after
        @!P0 BRA meet
        EXIT
        meet: BSYNC B0
        after: WARPSYNC 0xffffffff
        BAR.SYNC 0x0
        MOV R2, 0x1
    """)
    e.run()
    assert e.register(2).tolist() == [0] * 5 + [1] * 27


def test_warpsync_joins_the_named_lanes() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x8, PT
        @P0 BRA meet
        NOP
        meet: WARPSYNC 0xffffffff
        MOV R2, R1
    """)
    path = path_of(e)
    assert path.active[path.pcs == 5].tolist() == [FULL]


def test_branches_on_convergence() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x8, PT
        UMOV UR4, 0xffffffff
        BRA.DIV ~UR4, apart
        @P0 BRA low
        BRA.DIV ~UR4, apart
        EXIT
        low: UMOV UR5, 0xff
        BRA.CONV UR5, together
        EXIT
        apart: MOV R2, 0x1
        EXIT
        together: MOV R2, 0x2
    """)
    e.run()
    assert e.register(2).tolist() == [2] * 8 + [1] * 24


def test_saved_barrier_registers_survive_a_call() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x8, PT
        BSSY B6, end
        MOV R20, 0x70
        @P0 BRA meet
        MOV R21, RZ
        CALL.REL.NOINC function
        NOP
        meet: BSYNC B6
        end: MOV R3, R2
        EXIT
        function: BMOV.32.CLEAR R16, B6
        BSSY B6, inner
        BSYNC B6
        inner: MOV R2, 0x5
        BMOV.32 B6, R16
        RET.REL.NODEC R20, 0x0
    """)
    path = path_of(e)
    assert e.register(3).tolist() == [0] * 8 + [5] * 24
    assert path.active[path.pcs == 9].tolist() == [FULL]


def test_returns_may_go_to_different_callers() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x8, PT
        MOV R21, RZ
        BSSY B0, end
        @P0 BRA other
        MOV R20, 0x70
        CALL.REL.NOINC function
        MOV R2, 0x1
        BRA meet
        other: MOV R20, 0xb0
        CALL.REL.NOINC function
        MOV R2, 0x2
        meet: BSYNC B0
        end: MOV R3, R2
        EXIT
        function: WARPSYNC 0xffffffff
        RET.REL.NODEC R20, 0x0
    """)
    path = path_of(e)
    assert path.active[path.pcs == 16].tolist() == [FULL]
    assert e.register(3).tolist() == [2] * 8 + [1] * 24
    assert path.active[-1] == FULL


def test_a_spin_loop_lets_the_other_lanes_through() -> None:
    flag = np.zeros(1, np.int32)
    address = 0x7_0000_0200
    e = Experiment(
        f"""
        MOV R4, {address & FULL:#x}
        MOV R5, {address >> 32:#x}
        S2R R1, SR_LANEID
        ISETP.EQ.AND P0, PT, R1, RZ, PT
        @P0 BRA producer
        spin: LDG.E R6, [R4.64]
        ISETP.EQ.AND P1, PT, R6, RZ, PT
        @P1 BRA spin
        EXIT
        producer: MOV R7, 0x1
        STG.E [R4.64], R7
        """,
        arrays=(flag,),
    )
    e.run(max_steps=10_000)
    assert flag[0] == 1


def test_an_endless_loop_ends_in_a_report() -> None:
    e = Experiment("loop: IADD3 R1, R1, 0x1, RZ\nBRA loop")
    with pytest.raises(EmulationError, match=r"still running after 1000 steps") as error:
        e.run(max_steps=1000)
    assert "CTA (0, 0, 0), thread (0, 0, 0) and 31 more lanes: running at 0x00" in str(error.value)


def test_a_deadlock_names_who_waits_where() -> None:
    e = Experiment("""
        S2R R1, SR_LANEID
        ISETP.LT.AND P0, PT, R1, 0x1, PT
        @P0 BRA one
        BAR.SYNC 0x1
        EXIT
        one: BAR.SYNC 0x2
    """)
    with pytest.raises(EmulationError, match="barriers that cannot open") as error:
        e.run()
    assert "cta_barrier at 0x0030 BAR.SYNC 0x1" in str(error.value)


def test_barrier_waits_for_all_warps_of_the_cta() -> None:
    e = Experiment(
        """
        S2R R1, SR_TID.X
        SHF.L.U32 R2, R1, 0x2, RZ
        STS [R2], R1
        BAR.SYNC.DEFER_BLOCKING 0x0
        LOP3.LUT R3, R2, 0x1fc, RZ, 0x3c, !PT
        LDS R4, [R3]
        """,
        warps=4,
        shared=512,
    )
    e.run()
    assert e.state.registers[4].reshape(-1).tolist() == list(range(127, -1, -1))


def test_partial_warp_has_only_its_threads() -> None:
    e = Experiment("S2R R1, SR_TID.X", block=40)
    recorder = e.run()
    warps = recorder.ctas(0, 2, PathPool())[0].warps
    assert warps[0].path.active.tolist() == [FULL, FULL]
    assert warps[1].path.active.tolist() == [0xFF, 0xFF]
    assert e.state.registers[1, 1].tolist() == [32 + i if i < 8 else 0 for i in LANES]


JUMP_TABLE = """
    S2R R1, SR_LANEID
    LOP3.LUT R2, R1, 0x3, RZ, 0xc0, !PT
    SHF.L.U32 R2, R2, 0x5, RZ
    MOV R3, RZ
    BSSY B0, done
    BRX R2, 0x20
    NOP
    NOP
    MOV R4, 0xa
    BRA meet
    MOV R4, 0xb
    BRA meet
    MOV R4, 0xc
    BRA meet
    MOV R4, 0xd
    meet: BSYNC B0
    done: IADD3 R5, R4, 0x1, RZ
"""


def test_each_lane_jumps_to_its_entry_of_a_table() -> None:
    e = Experiment(JUMP_TABLE)
    path = path_of(e)
    assert e.register(5).tolist() == [11 + i % 4 for i in range(32)]
    assert path.active[path.pcs == 8].tolist() == [0x1111_1111]
    assert path.active[-1] == FULL


def test_negative_distances_jump_back() -> None:
    """As compilers spell it: the table holds offsets in the code of the kernel."""
    e = Experiment("MOV R2, 0x40\nMOV R3, RZ\nBRX R2, -0x30\nMOV R4, 0x1\nMOV R5, 0x2")
    e.run()
    assert not e.register(4).any()
    assert e.register(5).tolist() == [2] * 32


def test_code_behind_a_jump_table_must_be_executable() -> None:
    e = Experiment("MOV R2, 0x30\nMOV R3, RZ\nBRX R2, -0x30\nTMML R0, R2, 0x0, 2D, 0xf")
    with pytest.raises(UnsupportedError, match=r"0x0030 .*TMML"):
        e.run()


def test_lepc_gives_the_address_of_itself() -> None:
    e = Experiment("NOP\nLEPC R2")
    e.run()
    assert (e.register(2)[0], e.register(3)[0]) == (16, 0)
