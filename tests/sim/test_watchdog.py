"""Simulations that hang end with a report (product contract 8)."""

import pytest

from warpwise.isa.errors import DeadlockError

FOREVER = {"dram.latency": 50_000_000}  # the answer never comes in time


def test_waiting_for_a_counter_that_nobody_releases(simulate):
    code = "[B------:R-:W3:-:S02] LDG.E R4, [R2.64] ;\n[B---3--:R-:W-:-:S01] FADD R1, R4, R5 ;"
    with pytest.raises(DeadlockError) as error:
        simulate(code, warm="icache", changes=FOREVER)
    headline, line = str(error.value).splitlines()
    assert "experiment makes no progress" in headline
    for part in ("SM 0", "sub-core 0", "warp 0", "CTA 0", "0x10", "FADD R1, R4, R5", "SB3 = 1"):
        assert part in line
    assert line.endswith("since cycle 4")  # its last issue


def test_depbar_names_its_counter(simulate):
    code = """[B------:R-:W2:-:S02] LDG.E R4, [R2.64] ;
[B------:R-:W-:-:S04] DEPBAR.LE SB2, 0x0 ;
MOV R1, R4 ;"""
    with pytest.raises(DeadlockError, match=r"'MOV R1, R4.*' waits for SB2 = 1"):
        simulate(code, warm="icache", changes=FOREVER)


def test_barrier_that_too_few_warps_reach(simulate):
    """96 threads shall arrive, the CTA has 64."""
    with pytest.raises(DeadlockError) as error:
        simulate("BAR.SYNC 0x5, 0x60 ;\nNOP ;", block=64)
    lines = str(error.value).splitlines()[1:]
    assert [line.split(" (")[0] for line in lines] == [f"SM 0 sub-core {s} warp 0" for s in (0, 1)]
    assert all("held before it by barrier 5" in line for line in lines)


def test_many_stuck_warps_are_cut_off(simulate):
    with pytest.raises(DeadlockError, match=r"\.\.\. and 8 more warps$"):
        simulate("BAR.SYNC 0x5, 0x600 ;\nNOP ;", block=32 * 24, grid=2)


def test_cycle_limit(simulate):
    """1000 NOPs take more than 500 cycles and fewer than 5000."""
    code = "@repeat 1000 NOP ;"
    with pytest.raises(DeadlockError, match="reached the cycle limit at cycle 500") as error:
        simulate(code, max_cycles=500)
    assert "'NOP" in str(error.value)
    run = simulate(code, max_cycles=5000)
    assert run.cycles == simulate(code, max_cycles=run.cycles).cycles


def test_slow_memory_is_not_a_deadlock(simulate):
    code = "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;\n[B0-----:R-:W-:-:S01] NOP ;"
    run = simulate(code, warm="icache", changes={"dram.latency": 150_000})
    assert run.cycles > 150_000
