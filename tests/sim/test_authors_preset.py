"""The preset `authors`: what the authors' released simulator gives (sm-core 10, 11.2, 11.3)."""

from functools import partial
from itertools import pairwise

import pytest

from warpwise.sim.machine.load import load
from warpwise.sim.occupancy import occupancy
from warpwise.traces.handwritten import parse

WARM = "icache l1 const"
FILL = "[B------:R-:W-:Y:S00] NOP ;\n"  # 46 cycles in which the instruction buffer fills
LISTING_2 = """
[B------:R-:W-:-:S01] CS2R.32 R14, SR_CLOCKLO ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S{:02}] FADD R1, R2, R3 ;
[B------:R-:W-:-:S01] FFMA R5, R1, R1, R1 ;
[B------:R-:W-:-:S01] NOP ;
[B------:R-:W-:-:S01] CS2R.32 R24, SR_CLOCKLO ;
"""
LOADS = FILL + "@repeat 8 [B------:R-:W-:-:S01] LDG.E R2, [R4.64] ;"


@pytest.fixture
def authors(simulate):
    """Run with the preset; with `without`, one of its switches as in `ref`."""

    def run(code, without="", **shape):
        changes = {without: load().values()[without]} if without else {}
        return simulate(code, preset="authors", changes=changes, **{"warm": WARM, **shape})

    return run


def distance(run, opcode="NOP"):
    first, second = run.issues(opcode)[:2]
    return second - first


@pytest.mark.parametrize(("stall", "clocks"), [(1, 5), (4, 7)])
def test_listing_2_with_a_halved_stall_counter(authors, stall, clocks):
    """The hardware gives 5 and 8."""
    assert distance(authors(LISTING_2.format(stall)), "CS2R") == clocks


@pytest.mark.parametrize(
    ("control", "cycles"),
    [
        *[("-:S01", 1), ("-:S02", 2), ("-:S03", 2), ("-:S04", 3), ("-:S07", 3), ("-:S08", 4)],
        *[("-:S15", 4), ("Y:S00", 6), ("Y:S01", 2)],
    ],
)
def test_halved_stall_counts(authors, control, cycles):
    run = authors(f"{FILL}[B------:R-:W-:{control}] FADD R1, R2, R5 ;\nFADD R3, R2, R5 ;")
    assert distance(run, "FADD") == cycles


def test_reserved_result_queue_gives_four_results_in_five_cycles(authors):
    """8 places, each taken for 10 cycles."""
    run = authors("@repeat 100 FADD R1, R2, R5 ;")
    issued = run.issues("FADD")
    assert len([c for c in issued if issued[40] <= c < issued[40] + 50]) == 40
    alone = authors("@repeat 100 FADD R1, R2, R5 ;", without="sm.result_queue.reserve")
    assert {b - a for a, b in pairwise(alone.issues("FADD"))} == {1}


@pytest.mark.parametrize(
    ("subcores", "subcore", "issues"),
    [
        (1, 0, [2, 3, 4, 5, 6, 7, 14, 18]),
        (2, 0, [2, 3, 4, 5, 6, 7, 14, 18]),
        (2, 1, [2, 3, 4, 5, 6, 7, 16, 20]),
        (4, 0, [2, 3, 4, 5, 6, 7, 14, 18]),  # 0 and 1 as if they were alone,
        (4, 1, [2, 3, 4, 5, 6, 7, 16, 20]),
        (4, 2, [2, 3, 4, 5, 6, 7, 46, 48]),  # 2 and 3 starve until those are done
    ],
)
def test_memory_instructions_wait_in_control(authors, subcores, subcore, issues):
    """One more than in table 1 is accepted; the sub-cores are served in fixed order."""
    run = authors(LOADS, block=128, active=" ".join(map(str, range(subcores))))
    start = run.issues("LDG", warp=0)[0]
    assert [cycle - start + 2 for cycle in run.issues("LDG", warp=subcore)] == issues


def test_a_full_memory_queue_blocks_the_other_warps(authors):
    """The sixth load of W4 sits in Control until a grant; W0's FADDs cannot pass it."""
    code = "@repeat 7 [B------:R-:W-:-:S01] LDG.E R2, [R4.64] ;\n@repeat 8 FADD R1, R2, R5 ;"
    run = authors(FILL + code, block=160, active="0 4")
    loads = run.issues("LDG", warp=4)
    stuck = range(loads[5] + 1, loads[6])
    assert len(stuck) > 3
    assert not set(stuck) & set(run.issues(warp=0))


@pytest.mark.parametrize(
    ("opcode", "cycles"), [("IMAD R1, R2, R5, R7", 2), ("FFMA R1, R2, R5, R7", 1)]
)
def test_every_imad_holds_the_issue_port(authors, opcode, cycles):
    run = authors(f"{FILL}{opcode} ;\nNOP ;\nNOP ;")
    assert run.issues("NOP")[1] - run.issues(opcode.split()[0])[0] == cycles


def test_results_of_a_pipe_may_not_come_in_one_cycle(authors):
    """A predicate takes 13 cycles and a sum 4: nine cycles later it finishes beside it."""
    code = f"{FILL}[B------:R-:W-:-:S02] ISETP.LT.AND P0, PT, R2, R3, PT ;\n" + "NOP ;\n" * 7
    code += "IADD3 R1, R2, R5, R7 ;"
    late = authors(code).column("allocate", "IADD3")[0] - authors(code).issues("IADD3")[0]
    free = authors(code, without="sm.pipes.finish_conflict")
    assert late == 3
    assert free.column("allocate", "IADD3")[0] - free.issues("IADD3")[0] == 2


COPIES = """
@addr base=0x10000 stride=16 [B------:R-:W-:-:S04] LDGSTS.E.128 [R10], [R4.64] ;
[B------:R-:W0:-:S01] LDGDEPBAR ;
[B------:R-:W-:-:S01] NOP ;
"""


def test_commit_of_copies_waits_for_them(authors):
    """LDGSTS takes 67 cycles, not 39; its counter never keeps the commit back on hardware."""
    run = authors(FILL + COPIES)
    assert run.issues("LDGDEPBAR")[0] - run.issues("LDGSTS")[0] == 67
    free = authors(FILL + COPIES, without="sm.async_copy.commit")
    assert free.issues("LDGDEPBAR")[0] - free.issues("LDGSTS")[0] == 3


DEPBAR = """
[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;
[B------:R-:W-:-:S04] DEPBAR.LE SB0, 0x0 ;
FADD R1, R2, R5 ;
"""


def test_depbar_waits_itself_and_its_stall_count_follows(authors):
    """A load takes 34 cycles here; a halved stall count of 4 adds 3."""
    run = authors(FILL + DEPBAR)
    load_at = run.issues("LDG")[0]
    assert run.issues("DEPBAR")[0] - load_at == 34
    assert run.issues("FADD")[0] - load_at == 37


def test_each_bar_is_barrier_0_of_the_whole_cta(authors):
    """ARV waits too, and the release takes no time but BAR's stall count."""
    code = "BAR.ARV 0x3, 0x40 ;\nFADD R1, R2, R5 ;"
    run = authors(FILL + code, block=128)
    assert run.issues("FADD") == [max(run.issues("BAR")) + 1] * 4


@pytest.mark.parametrize(("scope", "cycles"), [("CTA", 53), ("GPU", 186), ("SYS", 2900)])
def test_a_fence_meets_the_cta_and_stops_the_sm(authors, scope, cycles):
    code = f"{FILL}MEMBAR.SC.{scope} ;\nFADD R1, R2, R5 ;"
    run = authors(code, block=64)
    assert run.issues("FADD") == [max(run.issues("MEMBAR")) + cycles] * 2
    assert run.stalls["membar"] == 0


def test_sources_are_released_one_cycle_before_table_2(authors):
    code = (
        f"{FILL}[B------:R5:W-:-:S02] LDG.E R4, [R2.64] ;\n[B-----5:R-:W-:-:S01] FADD R2, R1, R1 ;"
    )
    run = authors(code)
    assert run.issues("FADD")[0] - run.issues("LDG")[0] == 10


def test_constants_are_asked_for_on_the_way(authors):
    """W0 cannot issue (it waits for a load), but its constant is requested beside W4's."""
    waits = "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;\n"
    code = waits + "[B0-----:R-:W-:-:S01] FADD R1, R2, c[0x0][0x160] ;"
    shape = partial(authors, code, warm="icache l1")
    early = shape().issues("FADD")
    late = shape(without="sm.l0_constant.probe").issues("FADD")
    assert early[0] < late[0]


def test_sub_core_0_prefetches_before_the_others_miss(simulate):
    """Sub-core 3 waits for three demands and three times 8 prefetches; the lines come at once."""
    near = {"l2.round_trip": 1, "dram.latency": 0, "interconnect.reply_bytes": 128}
    near |= {"clock.dram_mhz": 1e6, "dram.rc_ns": 0.0, "dram.rrd_ns": 0.0, "dram.faw_ns": 0.0}
    run = simulate("NOP ;", preset="authors", block=128, warm="", changes=near)
    firsts = [run.issues(subcore=s)[0] for s in range(4)]
    assert [first - firsts[0] for first in firsts] == [0, 9, 18, 27]


SMALL = """
.arch sm_86
.kernel small
.block {block}
.grid 100000
MOV R{registers}, 1 ;
[B------:R-:W-:-:S01] EXIT ;
"""


@pytest.mark.parametrize(
    ("block", "registers", "authors", "hardware"),
    [(32, 8, 32, 16), (64, 40, 24, 16), (256, 41, 5, 5), (96, 65, 10, 9)],
)
def test_occupancy_without_the_limits_of_hardware(block, registers, authors, hardware):
    kernel = parse(SMALL.format(block=block, registers=registers - 1)).kernels[0]
    ctas = [occupancy(kernel, load("rtx_a6000", p).gpu, 84).ctas for p in ("authors", "ref")]
    assert ctas == [authors, hardware]


def test_a_place_is_kept_until_stores_are_acknowledged(authors):
    """An SM holds one CTA of 1024 threads; the second waits for the stores of the first."""
    cycles = [
        authors("STG.E [R2.64], R4 ;", without=switch, block=1024, grid=2).cycles
        for switch in ("", "sm.memory_unit.exit_waits_for_stores")
    ]
    assert cycles[0] - cycles[1] > 200
