"""Cache operators of loads and stores: which level answers, and what stays where (memory 2.8)."""

import pytest

TAG_CHECK = 3
L2_HIT = 249  # an RTX A6000's 64-bit load
PLAIN = "LDG.E.64"
PLACE = "@addr base=0x10000 stride=0"
FIRST = f"[B------:R-:W0:-:S02] {{}} R4, [R2.64] ; {PLACE}\n[B0-----:R-:W-:-:S06] NOP ;\n"
SECOND = f"[B------:R-:W0:-:S02] {{}} R6, [R2.64] ; {PLACE}\n[B0-----:R-:W-:-:S01] MOV R1, R6 ;"


def latency(simulate, second, first=PLAIN, between="", **options):
    """Cycles of a load of what another one has brought."""
    code = FIRST.format(first) + between + SECOND.format(second)
    run = simulate(code, warm="icache", **options)
    return run.issues("MOV")[0] - run.issues("LDG")[-1]


@pytest.mark.parametrize("operator", ["", ".STRONG.SM", ".CONSTANT", ".EF", ".LU", ".NA"])
def test_loads_that_may_hit_the_l1(simulate, operator):
    assert latency(simulate, f"LDG.E{operator}.64") == 34


@pytest.mark.parametrize("operator", [".STRONG.GPU", ".STRONG.SYS"])
def test_cg_cv_and_volatile_go_to_the_l2(simulate, operator):
    assert latency(simulate, f"LDG.E{operator}.64") == L2_HIT


def test_what_goes_to_the_l2_leaves_nothing_in_the_l1(simulate):
    assert latency(simulate, PLAIN, first="LDG.E.STRONG.GPU.64") == L2_HIT + TAG_CHECK


def test_na_leaves_nothing_in_the_l1(simulate):
    assert latency(simulate, PLAIN, first="LDG.E.NA.64") == L2_HIT + TAG_CHECK


def test_sys_alone_is_an_ordinary_load_of_turing(simulate):
    assert latency(simulate, "LDG.E.64.SYS", gpu="rtx_2080_ti", arch="sm_75") == 33


LINES = [("", 0x10000), ("{}", 0x10200), ("", 0x10400), ("", 0x10000)]  # all of one set


@pytest.mark.parametrize(("operator", "hits"), [("", 0), (".EF", 1), (".LU", 1)])
def test_evict_first_lines_give_way_to_others(simulate, operator, hits):
    """In a set of two ways the third line displaces the first, or a second one that is marked."""
    load = "[B0-----:R-:W0:-:S02] LDG.E{} R4, [R2.64] ; @addr base={:#x} stride=0\n"
    code = "".join(load.format(mark.format(operator), base) for mark, base in LINES)
    run = simulate(code, warm="icache", changes={"sm.l1d.size_kib": 1})
    assert int(run.state.sms["l1d"]["sector_hits"].sum()) == hits


def test_a_store_for_all_sms_leaves_nothing_in_the_l1_of_turing(simulate):
    turing = {"gpu": "rtx_2080_ti", "arch": "sm_75"}
    for operator, cycles in ((".SYS", 33), (".STRONG.GPU", 217 + TAG_CHECK)):
        store = f"[B------:R0:W-:-:S02] STG.E.64{operator} [R2.64], R8 ; {PLACE}\n"
        wait = "[B0-----:R-:W-:-:S06] NOP ;\n"
        assert latency(simulate, "LDG.E.64.SYS", between=store + wait, **turing) == cycles


def test_cctl_empties_the_l1(simulate):
    cctl = "[B------:R-:W-:Y:S05] CCTL.IVALL ;\n@repeat 30 NOP ;\n"
    assert latency(simulate, PLAIN, between=cctl) == L2_HIT + TAG_CHECK
    assert latency(simulate, PLAIN, between=cctl.replace("CCTL.IVALL", "MEMBAR.SC.CTA")) == 34


def test_authors_empty_the_l1_at_fences_and_ignore_hints(simulate):
    hit = latency(simulate, PLAIN, preset="authors")
    for operator in (".EF", ".NA"):
        assert (
            latency(simulate, f"LDG.E{operator}.64", f"LDG.E{operator}.64", preset="authors") == hit
        )
    for fence, missed in (("CCTL.IVALL", False), ("MEMBAR.SC.CTA", True)):
        between = f"[B------:R-:W-:Y:S05] {fence} ;\n@repeat 30 NOP ;\n"
        assert (latency(simulate, PLAIN, between=between, preset="authors") > hit) == missed


@pytest.mark.parametrize(("operator", "sectors"), [("", 1), (".LTC64B", 2), (".LTC128B", 4)])
def test_prefetch_hints_bring_neighbours_into_the_l2(simulate, operator, sectors):
    """One lane asks for one sector of four."""
    load = f"[B------:R-:W0:-:S02] LDG.E{operator} R4, [R2.64] ; @addr base=0x10000 stride=0\n"
    neighbour = "[B0-----:R-:W1:-:S02] LDG.E R4, [R2.64] ; @addr base={:#x} stride=0\n"
    code = load + "".join(neighbour.format(0x10000 + 32 * k) for k in (1, 2))
    run = simulate(code, warm="icache")
    assert int(run.state.gpu.l2.slices["sector_hits"].sum()) == sum(k < sectors for k in (1, 2))
    assert int(run.state.gpu.dram.channel["sectors_read"].sum()) == max(3, sectors)
