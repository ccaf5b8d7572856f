"""CTAs: order of dispatch, refilling, retirement (sm-core 1.2 to 1.6)."""

import pytest

ONE_CTA = {"sm.occupancy.ctas": 1, "launch.refill_latency": 0}


def placed(run):
    """SM of each CTA, in order of their numbers."""
    return [sm for _, sm in sorted({(int(r["cta"]), int(r["sm"])) for r in run.rows})]


def first_fetches(run):
    return [run.column("fetch", cta=cta)[0] for cta in range(run.state.kernel.n_ctas)]


def test_first_wave_goes_breadth_first(simulate):
    """CTA i goes to SM i mod N, one CTA a cycle on the whole GPU; its warps fetch a cycle later."""
    run = simulate("NOP ;", grid=7, sms=3)
    assert placed(run) == [0, 1, 2, 0, 1, 2, 0]
    assert first_fetches(run) == [1, 2, 3, 4, 5, 6, 7]


def test_dispatch_interval_and_latency_are_parameters(simulate):
    changes = {"launch.gpu_interval": 5, "launch.cta_latency": 30}
    assert first_fetches(simulate("NOP ;", grid=3, sms=3, changes=changes)) == [31, 36, 41]
    changes = {"launch.gpu_interval": 0, "launch.sm_interval": 8}
    run = simulate("NOP ;", grid=6, sms=3, changes=changes)
    assert first_fetches(run) == [1, 1, 1, 9, 9, 9]


def test_small_grids_are_spread_evenly(simulate):
    """Four CTAs would fit on one SM, but the grid is not larger than the GPU."""
    assert placed(simulate("NOP ;", grid=4, sms=4)) == [0, 1, 2, 3]


def test_freed_slot_is_refilled_in_the_cycle_of_release(simulate):
    """The last instruction of CTA k retires in c; the warp of CTA k+1 fetches in c + 1."""
    run = simulate("NOP ;\nFADD R1, R2, R5 ;", grid=5, changes=ONE_CTA)
    ends = [max(run.column("writeback", cta=cta)) for cta in range(5)]
    assert first_fetches(run)[1:] == [end + 1 for end in ends[:-1]]


def test_a_freed_slot_stays_empty_for_the_refill_latency(simulate):
    """As measured; the paper's authors have none."""
    for preset, cycles in (("ref", 300), ("authors", 0)):
        run = simulate("NOP ;", grid=2, preset=preset, changes={"sm.occupancy.ctas": 1})
        end = max(run.column("writeback", cta=0))
        assert run.column("fetch", cta=1)[0] == end + cycles + 1


@pytest.mark.parametrize("window", [1, 7, None])
def test_the_first_free_sm_takes_the_next_cta(simulate, window):
    """SMs that start later end later: they are refilled in order of their ends."""
    run = simulate("@repeat 30 NOP ;", grid=9, sms=3, changes=ONE_CTA, window=window)
    assert placed(run) == [0, 1, 2] * 3


def test_ctas_are_numbered_x_fastest(simulate):
    run = simulate("NOP ;", grid="2 3 2", sms=1)
    kernel = run.state.kernel
    assert [kernel.cta_index(n) for n in (0, 1, 2, 5, 6)] == [
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (1, 2, 0),
        (0, 0, 1),
    ]
    assert first_fetches(run) == sorted(first_fetches(run))


def test_a_cta_ends_with_its_slowest_warp(simulate):
    """Warps 1 to 3 leave at once; their places stay with the CTA until warp 0 is through."""
    run = simulate("@repeat 50 NOP ;", block=128, active="0", grid=2, changes=ONE_CTA)
    assert min(run.column("fetch", cta=1)) == max(run.column("writeback", cta=0)) + 1


def test_a_load_in_flight_keeps_the_slot(simulate):
    """Nobody waits for the result, but the register file must take it."""
    run = simulate("LDG.E R4, [R2.64] ;", grid=2, changes=ONE_CTA)
    load = run.column("writeback", "LDG", cta=0)[0]
    assert load == run.issues("LDG")[0] + 31 > run.column("writeback", "EXIT", cta=0)[0]
    assert run.column("fetch", cta=1)[0] == load + 1


def test_a_store_does_not_keep_the_slot_but_the_kernel_waits_for_it(simulate):
    """The slot is free when the SM has taken the store; the kernel ends with its reply."""
    changes = ONE_CTA | {"l2.round_trip": 200}
    run = simulate("STG.E [R2.64], R4 ;", grid=2, warm="icache", changes=changes)
    assert run.column("fetch", cta=1)[0] - run.issues("STG", cta=0)[0] < 30
    assert run.cycles > run.column("writeback", "STG", cta=1)[0] + 200


def test_execution_ends_with_the_cycle_of_the_last_retirement(simulate):
    run = simulate("NOP ;")
    assert run.cycles == max(run.column("writeback")) + 1


def test_launch_latency_is_apart(simulate):
    run = simulate("NOP ;", changes={"launch.latency_cycles": 777})
    assert run.state.launch_cycles == 777
    assert run.cycles == simulate("NOP ;").cycles


@pytest.mark.parametrize(
    "control",
    [
        "R-:W-:-:S01",
        "R-:W-:Y:S00",
    ],
)
def test_a_new_warp_inherits_nothing_from_the_one_before(simulate, control):
    """CTA 1 takes the place of CTA 0 and issues three cycles after its first fetch."""
    run = simulate(f"NOP ;\n[B------:{control}] EXIT ;", grid=2, changes=ONE_CTA)
    assert run.issues(cta=1)[0] == run.column("fetch", cta=1)[0] + 3


def test_a_place_is_free_only_when_the_scoreboards_are(simulate):
    """The first CTA ends with its MUFU's write-back, whose release the next CTA must not see."""
    code = "@repeat 11 [B------:R-:W-:Y:S01] NOP ;\nMUFU.RCP R2, R2 ;"
    changes = {"sm.occupancy.ctas": 1, "sm.dependence.mode": "scoreboard"}
    run = simulate(code, grid=2, changes=changes)
    assert len(run.issues("MUFU")) == 2
