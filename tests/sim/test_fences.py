"""Memory fences hold their own warp, by scope (sm-core 1.8)."""

import pytest

CYCLES = {"CTA": 53, "GPU": 186, "SYS": 2900}
FILL = "[B------:R-:W-:Y:S00] NOP ;\n"  # 46 cycles in which the instruction buffer fills
LOAD = "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;\n"


def wait(run):
    return run.issues("FADD")[0] - run.issues("MEMBAR")[0]


@pytest.mark.parametrize("scope", CYCLES)
def test_a_fence_holds_its_warp(simulate, scope):
    run = simulate(f"{FILL}MEMBAR.SC.{scope} ;\nFADD R1, R2, R5 ;")
    assert wait(run) == CYCLES[scope]
    assert run.stalls["membar"] == CYCLES[scope] - 1


def test_a_fence_waits_for_what_comes_before_it(simulate):
    """A load from memory takes longer than the fence alone."""
    run = simulate(f"{FILL}{LOAD}MEMBAR.SC.CTA ;\nFADD R1, R2, R5 ;", warm="icache")
    waiter = simulate(f"{FILL}{LOAD}[B0-----:R-:W-:-:S01] FADD R1, R2, R5 ;", warm="icache")
    assert run.issues("FADD") == waiter.issues("FADD")


def test_other_warps_go_on(simulate):
    """Only the warps that issue the fence wait: no barrier, and the SM does not stop."""
    code = f"{FILL}MEMBAR.SC.SYS ;\n@repeat 20 FADD R1, R2, R5 ;"
    run = simulate(code, block=160, active="0 4")
    first, second = run.issues("MEMBAR", warp=4)[0], run.issues("MEMBAR", warp=0)[0]
    assert first < second < first + 10
    assert run.issues("FADD", warp=4)[0] == first + CYCLES["SYS"]


def test_latencies_are_parameters(simulate):
    changes = {"sm.fence.gpu_cycles": 300}
    assert wait(simulate(f"{FILL}MEMBAR.SC.GPU ;\nFADD R1, R2, R5 ;", changes=changes)) == 300


def test_a_fence_waits_for_its_stores_at_the_l2(simulate):
    """The answer to a store takes the L2's round trip from its grant, 11 cycles after issue."""
    store = "STG.E [R2.64], R4 ;\n"
    run = simulate(
        f"{FILL}{store}MEMBAR.SC.CTA ;\nFADD R1, R2, R5 ;", changes={"l2.round_trip": 500}
    )
    assert 500 < run.issues("FADD")[0] - run.issues("STG")[0] < 540
