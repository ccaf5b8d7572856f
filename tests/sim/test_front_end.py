"""Fetch, decode and the instruction caches of one sub-core (sm-core 2)."""

from itertools import pairwise

import pytest

NOPS = "@repeat {} [B------:R-:W-:-:S01] NOP ;"
SUBCORE_0 = {"block": 160, "active": "0 4"}  # warps 0 and 4 share a sub-core, the others exit
# Round numbers make the sums below readable: 300 cycles from the L1I's miss to the line.
MEMORY = {"l2.round_trip": 200, "dram.latency": 100}
MISS = 40 + 300 + 39  # request link and look-up, L2 and memory, reply link
HIT = 40 + 39  # the same if the L1I has the line


def steps(cycles):
    return [b - a for a, b in pairwise(cycles)]


def test_a_hit_passes_every_stage_in_its_cycle(simulate):
    """The CTA starts in cycle 0, so its warp fetches in 1; then f+2 decode, f+3 issue."""
    run = simulate("FFMA R1, R2, R5, R7 ;")
    [first, _] = run.rows.tolist()
    names = run.rows.dtype.names
    stages = names.index("fetch")
    assert dict(zip(names[stages:], first[stages:], strict=True)) == {
        "fetch": 1,
        "decode": 3,
        "issue": 4,  # t
        "control": 5,  # t + 1
        "allocate": 6,  # t + 2
        "read_done": 9,  # a + 3
        "writeback": 14,  # t + 10: dispatch t + 5, result queue t + 9
    }


@pytest.mark.parametrize(
    ("entries", "pattern"),
    [
        (1, [3, 3, 3, 3, 3]),  # refilled in the cycle of issue t, valid again at t + 3
        (2, [1, 2, 1, 2, 1]),  # two such entries: two of three cycles
        (3, [1, 1, 1, 1, 1]),
        (4, [1, 1, 1, 1, 1]),
    ],
)
def test_three_buffer_entries_sustain_one_instruction_a_cycle(simulate, entries, pattern):
    run = simulate(NOPS.format(30), changes={"sm.fetch.buffer_entries": entries})
    assert run.issues()[0] == 4
    assert steps(run.issues("NOP"))[:5] == pattern


def test_two_entries_make_the_greedy_warp_change_every_two_instructions(simulate):
    """Two warps fill the issue slot together, but neither can issue three times in a row."""
    run = simulate(NOPS.format(40), changes={"sm.fetch.buffer_entries": 2}, **SUBCORE_0)
    nops = [(row["issue"], row["warp"]) for row in run.rows if row["pc"] < 40]
    issuers = [warp for cycle, warp in nops if 20 <= cycle < 60]
    assert len(issuers) == 40
    assert all(len(set(issuers[i : i + 3])) > 1 for i in range(len(issuers) - 2))
    assert simulate(NOPS.format(40), **SUBCORE_0).issues(warp=4)[:40] == list(range(4, 44))


def test_perfect_instruction_cache_answers_a_cycle_earlier(simulate):
    run = simulate(NOPS.format(5), changes={"sm.fetch.perfect": True})
    assert run.issues() == [3, 4, 5, 6, 7, 8]


def test_cold_start_is_one_trip_to_memory(simulate):
    """Fetch in 1 misses everywhere; the line is back MISS cycles later and answers at once."""
    run = simulate(NOPS.format(4), warm="", changes=MEMORY)
    assert run.column("fetch") == [1, 2, 3, 1 + MISS + 3, 1 + MISS + 4]
    assert run.issues() == [1 + MISS + 3 + k for k in range(5)]


def test_cold_subcores_follow_one_another_through_the_port(simulate):
    """The replies share a port: each sub-core starts one cycle after the one before it."""
    run = simulate(NOPS.format(2), block=128, warm="", changes=MEMORY)
    firsts = [run.issues(subcore=s)[0] for s in range(4)]
    assert firsts == [1 + MISS + 3 + s for s in range(4)]


def test_without_prefetcher_each_new_line_costs_a_miss(simulate):
    """PC 8k is fetched when PC 8k-3 issues, and issues a miss and three cycles later."""
    off = MEMORY | {"sm.stream_buffer.lines": 0}
    cycles = simulate(NOPS.format(40), warm="", changes=off).issues()
    assert [cycles[k] - cycles[k - 3] for k in (8, 16, 24, 32)] == [MISS + 3] * 4
    assert all(cycles[k] - cycles[k - 1] == 1 for k in range(1, 40) if k % 8)


def test_prefetcher_hides_all_misses_but_the_first(simulate):
    """Its requests follow the miss through the port one a cycle, so lines are here in time."""
    run = simulate(NOPS.format(60), warm="", changes=MEMORY)
    assert run.issues() == [1 + MISS + 3 + k for k in range(61)]


def test_short_stream_buffer_runs_dry(simulate):
    """One line: it is asked for when the one before it is handed over, and a miss takes longer."""
    cycles = {}
    for lines in (0, 1, 4, 8):
        changes = MEMORY | {"sm.stream_buffer.lines": lines}
        cycles[lines] = simulate(NOPS.format(200), warm="", changes=changes).cycles
    assert cycles[0] > cycles[1] > cycles[4] > cycles[8]


def test_l0_miss_that_hits_the_l1i_costs_79_cycles(simulate):
    """An L0I of one line forgets the loop's first half; the target comes from the L1I."""
    changes = {"sm.l0i.sets": 1, "sm.l0i.ways": 1, "sm.stream_buffer.lines": 0}
    loop = f"top:\n{NOPS.format(15)}\n@trips 3 @P0 BRA top ;"
    run = simulate(loop, warm="", changes=changes)
    branches, targets = run.issues("BRA"), run.issues(pc=0)
    assert [t - b for b, t in zip(branches, targets[1:], strict=False)] == [HIT + 3] * 2
    second_line = run.issues(pc=8)[1:]
    assert [a - b for a, b in zip(second_line, run.issues(pc=5)[1:], strict=True)] == [HIT + 3] * 2
    warm = simulate(loop, changes=changes)
    assert [t - b for b, t in zip(warm.issues("BRA"), warm.issues(pc=0)[1:], strict=False)] == [
        3
    ] * 2


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_taken_branch_is_followed_after_three_cycles(simulate, delay):
    """The branch issues at t and its target is fetched in t + delay, so issues three later."""
    changes = {"sm.fetch.redirect_delay": delay}
    run = simulate("top:\nNOP ;\nNOP ;\n@trips 4 @P0 BRA top ;", changes=changes)
    branches = run.issues("BRA")
    assert run.issues(pc=0) == [4] + [t + 3 + delay for t in branches[:-1]]
    assert run.issues("EXIT") == [branches[-1] + 1]  # not taken: costs nothing


def test_stall_count_of_a_branch_outlasts_the_redirect(simulate):
    run = simulate("top:\nNOP ;\n@trips 3 [B------:R-:W-:-:S07] @P0 BRA top ;")
    assert run.issues(pc=0)[1:] == [t + 7 for t in run.issues("BRA")[:-1]]


@pytest.mark.parametrize(
    "skipped",
    [
        1,
        2,
        3,
    ],
)
def test_short_forward_branch_is_a_redirect_like_any_other(simulate, skipped):
    """What was fetched behind the branch is flushed: the target is fetched anew in t."""
    run = simulate("BRA over ;\n" + NOPS.format(skipped) + "\nover:\nNOP ;\nNOP ;")
    assert run.issues(pc=1 + skipped) == [run.issues("BRA")[0] + 3]
    assert all(d >= f + 2 for f, d in zip(run.column("fetch"), run.column("decode"), strict=True))


def test_youngest_warp_is_fetched_first(simulate):
    """Nothing has issued yet: warp 4, launched last, fills its buffer before warp 0 fetches."""
    run = simulate(NOPS.format(3), **SUBCORE_0)
    assert run.column("fetch", warp=4)[:3] == [1, 2, 3]
    assert run.column("fetch", warp=0)[0] > 3
