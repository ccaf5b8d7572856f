"""CTA barriers (sm-core 1.7)."""

import pytest

LATENCY = 20
ONE_SUBCORE = {"block": 512, "active": "0 4 8 12"}


def test_release_comes_twenty_cycles_after_the_last_arrival(simulate):
    """Two warps of one sub-core arrive in different cycles; the younger one goes on first."""
    run = simulate("BAR.SYNC 0x0 ;\nNOP ;", block=160, active="0 4")
    young, old = run.issues("BAR", warp=4)[0], run.issues("BAR", warp=0)[0]
    assert young < old
    assert run.issues("NOP", warp=4) == [old + LATENCY]
    assert run.issues("NOP", warp=0) == [old + LATENCY + 2]  # behind warp 4's EXIT


def test_warps_of_all_subcores_are_released_in_one_cycle(simulate):
    run = simulate("BAR.SYNC 0x0 ;\nNOP ;", block=128)
    assert run.issues("NOP") == [run.issues("BAR")[-1] + LATENCY] * 4


@pytest.mark.parametrize("latency", [1, 7, 50])
def test_latency_is_a_parameter_and_the_stall_count_a_minimum(simulate, latency):
    changes = {"sm.barrier.latency": latency}
    run = simulate("[B------:R-:W-:-:S06] BAR.SYNC 0x0 ;\nNOP ;", changes=changes)
    assert run.issues("NOP") == [run.issues("BAR")[0] + max(latency, 6)]


def test_least_latency(simulate):
    """A release in the next cycle is hidden by the stall count of BAR."""
    run = simulate("[B------:R-:W-:-:S06] BAR.SYNC 0x0 ;\nNOP ;", changes={"sm.barrier.latency": 1})
    assert run.issues("NOP") == [run.issues("BAR")[0] + 6]


def test_thread_count_releases_pairs_of_warps(simulate):
    """64 threads are two warps: arrivals in order 12, 8 release these two, then 4 and 0."""
    run = simulate("BAR.SYNC 0x1, 0x40 ;\nNOP ;", **ONE_SUBCORE)
    arrived = {warp: run.issues("BAR", warp=warp)[0] for warp in (0, 4, 8, 12)}
    assert arrived[12] < arrived[8] < arrived[4] < arrived[0]
    first = {warp: run.issues("NOP", warp=warp)[0] for warp in (0, 4, 8, 12)}
    assert min(first[12], first[8]) == arrived[8] + LATENCY
    assert max(first[12], first[8]) < arrived[0] + LATENCY <= min(first[4], first[0])


def test_barriers_have_numbers(simulate):
    """Barrier 2 needs one warp and lets each pass; barrier 1 still needs all."""
    run = simulate("BAR.SYNC 0x2, 0x20 ;\nBAR.SYNC 0x1 ;\nNOP ;", block=160, active="0 4")
    for warp in (0, 4):
        at_two = run.issues(pc=0, warp=warp)[0]
        assert run.issues(pc=1, warp=warp)[0] - at_two in (LATENCY, LATENCY + 1)  # port shared
    assert min(run.issues("NOP")) == max(run.issues(pc=1)) + LATENCY


def test_arrive_does_not_wait(simulate):
    run = simulate("[B------:R-:W-:-:S05] BAR.ARV 0x1, 0x40 ;\nNOP ;", block=160, active="0 4")
    for warp in (0, 4):
        assert run.issues("NOP", warp=warp)[0] - run.issues("BAR", warp=warp)[0] in (5, 6)


def test_arrivals_count_for_those_who_wait(simulate):
    """128 threads: two warps arrive twice each, the second time they wait."""
    code = "BAR.ARV 0x1, 0x80 ;\nBAR.SYNC 0x1, 0x80 ;\nNOP ;"
    run = simulate(code, block=160, active="0 4")
    assert min(run.issues("NOP")) == max(run.issues(pc=1)) + LATENCY


def test_exited_warps_are_not_waited_for(simulate):
    """Only warp 0 of four runs the code; the others have left, its barrier opens for one."""
    run = simulate(
        "[B------:R-:W-:-:S11] NOP ;\nBAR.SYNC 0x0 ;\nMOV R1, R2 ;", block=128, active="0"
    )
    assert run.issues("MOV") == [run.issues("BAR")[0] + LATENCY]


def test_an_exit_opens_the_barrier(simulate):
    """Warp 4 fetches and issues BAR first; warp 0, held back by nothing, exits later."""
    run = simulate("BAR.SYNC 0x0 ;\nMOV R1, R2 ;", block=160, active="4")
    assert run.issues("MOV", warp=4) == [
        max(run.issues("EXIT", warp=0)[0], run.issues("BAR")[0]) + LATENCY
    ]


def test_waiting_warps_are_counted_in_the_barrier_state(simulate):
    run = simulate("[B------:R-:W-:-:S01] BAR.SYNC 0x0 ;\nNOP ;")
    assert run.stalls["barrier"] == LATENCY - 1  # between the issue cycles of BAR and NOP


@pytest.mark.parametrize("operands", ["R4, 0x40", "R4, R4", "R4"])
def test_a_number_in_a_register_counts_as_zero(simulate, operands):
    """A trace does not hold it, and the threads that a register names are those of the CTA."""
    unknown = simulate(f"BAR.SYNC {operands} ;\nNOP ;", block=64)
    assert unknown.issues("NOP") == simulate("BAR.SYNC 0x0, 0x40 ;\nNOP ;", block=64).issues("NOP")
