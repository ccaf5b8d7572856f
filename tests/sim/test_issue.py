"""Which warp issues when: stall count, yield, greedy then youngest (sm-core 3)."""

import pytest

from warpwise.sim import run
from warpwise.traces.handwritten import parse

# Warps 0, 4, 8 and 12 of the CTA live on sub-core 0; the others exit at once.
FOUR_WARPS = {"block": 512, "active": "0 4 8 12"}
CGGTY = {"sm.issue.policy": "cggty"}  # the rule of the paper


def control(stall, yields=False):
    return f"[B------:R-:W-:{'Y' if yields else '-'}:S{stall:02}]"


@pytest.mark.parametrize(
    ("stall", "yields", "distance"),
    [(0, False, 1), (0, True, 46), (1, False, 1), (1, True, 2)]
    + [(s, y, s) for s in range(2, 12) for y in (False, True)]
    + [(s, True, s) for s in range(12, 16)]
    + [(s, False, 2) for s in range(12, 16)],
)
def test_stall_count_and_yield_set_the_distance(simulate, stall, yields, distance):
    """The table of sm-core 3.6, row by row."""
    run = simulate(f"{control(stall, yields)} NOP ;\nNOP ;")
    first, second = run.issues("NOP")
    assert second - first == distance


def filled(code):
    """`code` behind a barrier, which lets all buffers fill and frees all warps in one cycle."""
    return f"BAR.SYNC 0x0 ;\n{code}"


def issuers(run, code_begins=1):
    """(cycle after the release, warp) of what follows the barrier, EXIT excluded."""
    release = max(run.issues("BAR")) + 20
    rows = run.rows[(run.rows["pc"] >= code_begins) & (run.rows["subcore"] == 0)]
    nops = [row for row in rows if row["issue"] >= release]
    return [(int(row["issue"]) - release, int(row["warp"])) for row in nops]


def runs(pairs):
    """[(first cycle, last cycle, warp)] of uninterrupted issues of one warp."""
    result = []
    for cycle, warp in pairs:
        if result and result[-1][2] == warp and result[-1][1] == cycle - 1:
            result[-1] = (result[-1][0], cycle, warp)
        else:
            result.append((cycle, cycle, warp))
    return result


def test_greedy_warp_first_then_the_youngest(simulate):
    """Warp 0 arrives last and is greedy; when it is through, 12, 8 and 4 follow by age."""
    run = simulate(filled("@repeat 9 NOP ;"), changes=CGGTY, **FOUR_WARPS)
    assert [warp for _, _, warp in runs(issuers(run))] == [0, 12, 8, 4]
    assert [cycle for cycle, _ in issuers(run)] == list(range(40))  # nine and EXIT, no bubble


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("cggty", [0, 12, 8, 4]),
        ("gto", [0, 4, 8, 12]),  # greedy, then the oldest
        ("oldest", [0, 4, 8, 12]),
        ("lrr", [4, 8, 12, 0] * 9 + [4, 8, 12, 0]),  # one instruction each, nine NOPs and EXIT
        ("lri", [12, 8, 4, 0]),  # the barrier took longer than issues are remembered
    ],
)
def test_other_policies(simulate, policy, order):
    run = simulate(filled("@repeat 9 NOP ;"), changes={"sm.issue.policy": policy}, **FOUR_WARPS)
    assert [warp for _, _, warp in runs(issuers(run))] == order


def test_least_recently_issued_shares_the_slots(simulate):
    """Stall count 2 and four warps: CGGTY serves two of them first, LRI all in turn.

    With the first stall count, all have issued when the first one may issue again.
    """
    code = filled(f"{control(5)} NOP ;\n@repeat 8 {control(2)} NOP ;")
    last = {}
    for policy in ("cggty", "lri"):
        run = simulate(code, changes={"sm.issue.policy": policy}, **FOUR_WARPS)
        last[policy] = sorted(
            run.issues("NOP", warp=w)[-1] - max(run.issues("BAR")) for w in (0, 4, 8, 12)
        )
    assert last["cggty"][1] - last["cggty"][0] == 1
    assert last["cggty"][2] - last["cggty"][1] > 10
    assert last["lri"][3] - last["lri"][0] == 3


@pytest.mark.parametrize(("remembered", "order"), [(19, [12, 8, 4, 0]), (21, [0, 12, 8, 4])])
def test_issues_of_long_ago_are_forgotten(simulate, remembered, order):
    """Warp 0 was the last at a barrier, whose release takes 20 cycles more."""
    changes = {"sm.issue.recency_cycles": remembered}
    run = simulate(filled("@repeat 9 NOP ;"), changes=changes, **FOUR_WARPS)
    assert [warp for _, _, warp in runs(issuers(run))] == order


def test_warps_that_have_issued_lately_go_before_younger_ones(simulate):
    """12 and 8 take turns to their end; 4, which has not issued, waits for a free slot."""
    code = filled(f"@repeat 8 {control(2)} NOP ;")
    run = simulate(code, **FOUR_WARPS)
    assert [warp for _, warp in issuers(run)[:16]] == [12, 8] * 8


def test_oldest_first_knows_no_greed(simulate):
    """Warp 0 yields once; warp 4 then keeps the port by greed, but not by age."""
    code = filled(f"NOP ;\n{control(1, True)} NOP ;\n@repeat 9 NOP ;")
    firsts = {}
    for policy in ("gto", "oldest"):
        run = simulate(code, changes={"sm.issue.policy": policy}, **FOUR_WARPS)
        firsts[policy] = [warp for _, warp in issuers(run)[:5]]
    assert firsts == {"gto": [0, 0, 4, 4, 0], "oldest": [0, 0, 4, 0, 0]}


def test_stalled_warps_give_way_and_the_greedy_one_keeps_the_port(simulate):
    """Figure 4b with warp 0 greedy at the start: the second instruction stalls for four.

    Warp 0 issues in 0 and 1 and may again in 5. The youngest, 12, takes 2 and 3 (again in 7), 8
    takes 4 and 5: in 5 it is greedy, so warp 0 has to wait. In 6 warps 0 and 4 are ready: 4 is
    younger, 6 and 7. In 8 the ready ones are 12 and 0: 12 runs to its end, then 8, 4 and 0.
    """
    code = f"NOP ;\n{control(4)} NOP ;\n@repeat 29 NOP ;"
    run = simulate(filled(code), changes=CGGTY, **FOUR_WARPS)
    assert runs(issuers(run)) == [
        (0, 1, 0),
        (2, 3, 12),
        (4, 5, 8),
        (6, 7, 4),
        (8, 37, 12),
        (38, 67, 8),
        (68, 97, 4),
        (98, 127, 0),
    ]


def test_yield_passes_the_port_to_the_youngest_ready_warp(simulate):
    """Figure 4c with warp 0 greedy at the start: the second instruction yields.

    A warp that yields in t is not ready in t + 1. So 12 follows in 2 and 3, 8 (youngest of the
    ready 8, 4, 0) in 4 and 5, then 12 is the youngest and runs to its end; 8 likewise; in 66 warp 4
    issues its first two, yields to 0, which keeps the port to its end.
    """
    code = f"NOP ;\n{control(1, True)} NOP ;\n@repeat 29 NOP ;"
    run = simulate(filled(code), changes=CGGTY, **FOUR_WARPS)
    assert runs(issuers(run)) == [
        (0, 1, 0),
        (2, 3, 12),
        (4, 5, 8),
        (6, 35, 12),
        (36, 65, 8),
        (66, 67, 4),
        (68, 97, 0),
        (98, 127, 4),
    ]


def test_warps_live_on_subcore_number_modulo_four(simulate):
    run = simulate("NOP ;", block=320)
    assert {(int(r["warp"]), int(r["subcore"])) for r in run.rows} == {
        (w, w % 4) for w in range(10)
    }


def test_subcores_issue_independently(simulate):
    run = simulate("@repeat 10 NOP ;", block=128)
    assert [run.issues(subcore=s) for s in range(4)] == [list(range(4, 15))] * 4


def test_clock_is_read_in_the_first_cycle_of_control(sass):
    """Two clock reads take the integer pipe for two cycles each; the value is issue + 1."""
    trace = parse(sass("CS2R R2, SR_CLOCKLO ;\nCS2R R4, SR_CLOCKLO ;"))
    [kernel] = run(trace, sms=1, events=True).kernels
    [reads] = kernel.clock_reads
    assert list(reads.values) == [5, 7]
    assert kernel.events["issue"].tolist() == [4, 6, 7]


def test_wide_multiply_holds_the_issue_port(simulate):
    """After IMAD.WIDE nobody issues for a cycle; after IMAD somebody does."""
    wide = simulate("IMAD.WIDE R8, R3, R4, R6 ;\nNOP ;")
    narrow = simulate("IMAD R8, R3, R4, R6 ;\nNOP ;")
    assert [wide.issues("NOP"), narrow.issues("NOP")] == [[6], [5]]
