"""Memory instructions before the data: queue, address stage, grants (sm-core 6.4, 6.3)."""

import pytest

LOAD = "LDG.E R{}, [R2.64] ;"
WIDTHS = {32: "", 64: ".64", 128: ".128"}
# Table 2 of the paper: mnemonic, operands, addresses (lane or uniform), then per width
# (sources released, result usable), counted from issue.
TABLE_2 = [
    ("LDG.E", "R8, [R2.64]", {32: (11, 32), 64: (11, 34), 128: (11, 38)}),
    ("LDG.E", "R8, [UR4]", {32: (9, 29), 64: (9, 31), 128: (9, 35)}),
    ("STG.E", "[R2.64], R8", {32: (14, None), 64: (16, None), 128: (20, None)}),
    ("STG.E", "[UR4], R8", {32: (10, None), 64: (12, None), 128: (16, None)}),
    ("LDS", "R8, [R2]", {32: (9, 24), 64: (9, 24), 128: (9, 26)}),
    ("LDS", "R8, [UR4]", {32: (9, 23), 64: (9, 23), 128: (9, 25)}),
    ("STS", "[R2], R8", {32: (12, None), 64: (14, None), 128: (18, None)}),
    ("STS", "[UR4], R8", {32: (10, None), 64: (12, None), 128: (16, None)}),
    ("LDC", "R8, c[0x0][0x160]", {32: (10, 26)}),
    ("LDC", "R8, c[0x0][R2]", {32: (29, 29), 64: (29, 29)}),
    ("LDGSTS.E", "[R5], [R2.64]", {32: (13, 39), 64: (13, 39), 128: (13, 39)}),
]
CASES = [
    pytest.param(
        f"{name}{WIDTHS[width]} {operands} ;", *expected, id=f"{name}{WIDTHS[width]} {operands}"
    )
    for name, operands, widths in TABLE_2
    for width, expected in widths.items()
]


@pytest.mark.parametrize(("instruction", "sources", "result"), CASES)
def test_table_2(simulate, instruction, sources, result):
    """A NOP that waits for the read counter, then one that waits for the write counter."""
    for control, expected in (("R0:W-", sources), ("R-:W0", result)):
        if expected is not None:
            code = f"[B------:{control}:-:S02] {instruction}\n[B0-----:R-:W-:-:S01] NOP ;"
            run = simulate(code, warm="icache l1 const")
            assert run.issues("NOP")[0] - run.issues()[0] == expected


# Table 1 of the paper: issue cycles of the 6th, 7th and 8th load, first issue in cycle 2.
TABLE_1 = {
    1: ([13], [17], [21]),
    2: ([13, 15], [17, 19], [21, 23]),
    3: ([13, 15, 17], [19, 21, 23], [25, 27, 29]),
    4: ([13, 15, 17, 19], [21, 23, 25, 27], [29, 31, 33, 35]),
}


@pytest.mark.parametrize("active", TABLE_1)
def test_table_1(simulate, active):
    """Five loads are buffered; then each grant, in turn over the sub-cores, lets one more issue."""
    run = simulate(f"@repeat 8 {LOAD.format(4)}", block=32 * active)
    cycles = [run.issues("LDG", subcore=s) for s in range(active)]
    assert all([c - own[0] for c in own[:5]] == [0, 1, 2, 3, 4] for own in cycles)
    for position, expected in zip((5, 6, 7), TABLE_1[active], strict=True):
        assert [own[position] - own[0] + 2 for own in cycles] == expected


@pytest.mark.parametrize("capacity", [1, 3, 5, 8])
def test_queue_capacity(simulate, capacity):
    """The first grant, 11 cycles after the first issue, frees the first place."""
    changes = {"sm.local_unit.capacity": capacity}
    cycles = simulate(f"@repeat 9 {LOAD.format(4)}", changes=changes).issues("LDG")
    assert [c - cycles[0] for c in cycles[: capacity + 1]] == [*range(capacity), 11]


def test_full_queue_holds_loads_only(simulate):
    """Warp 4 fills the queue; before the first grant warp 0 begins its NOPs, which go on after it.

    Warp 0, greedy, then takes the place that the grant has freed, ahead of the younger warp 4.
    """
    code = f"@repeat 6 NOP ;\n@repeat 6 {LOAD.format(4)}"
    run = simulate(code, block=160, active="0 4")
    loads, nops = run.issues("LDG", warp=4), run.issues("NOP", warp=0)
    assert [c - loads[0] for c in loads[:5]] == [0, 1, 2, 3, 4]
    assert loads[4] < nops[0] < loads[0] + 11 < loads[5]
    assert [*nops, run.issues("LDG", warp=0)[0]] == list(range(nops[0], nops[0] + 7))
    assert run.stalls["lg_throttle"] > 0


def test_address_stage_is_in_order(simulate):
    """Loads at 0 and 1 enter at 3 and 7: the second's sources are free at 1 + 11 + 3."""
    load = "[B------:R-:W-:-:S01] LDG.E R4, [R2.64] ;"
    second = "[B------:R0:W-:-:S02] LDG.E R6, [R2.64] ;"
    run = simulate(f"{load}\n{second}\n[B0-----:R-:W-:-:S01] NOP ;")
    assert run.issues("NOP")[0] - run.issues()[0] == 15


def test_predicated_off_load_passes_without_an_access(simulate):
    """No lane executes: it goes the same way but touches no sector."""
    run = simulate("@!PT LDG.E R4, [R2.64] ;\nNOP ;", warm="icache")
    assert int(run.state.sms["l1d"]["sector_accesses"].sum()) == 0
    assert run.column("writeback", "LDG")[0] - run.issues("LDG")[0] < 100


def cold_load(simulate, code, **options):
    run = simulate(f"{code}\n[B0-----:R-:W-:-:S01] NOP ;", warm="icache", **options)
    return run.issues("NOP")[0] - run.issues()[-3]


def test_miss_adds_the_round_trip_and_memory(simulate):
    """To the L1's tag check, the L2 and memory; the second load to the line hits in the L1."""
    load = "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;"
    both = f"{load}\n[B0-----:R-:W-:-:S01] MOV R1, R4 ;\n{load}"
    miss = {}
    for latency in (100, 150):
        changes = {"l2.round_trip": 200, "dram.latency": latency}
        miss[latency] = cold_load(simulate, load, changes=changes)
        assert cold_load(simulate, both, changes=changes) == 32
    assert miss[150] - miss[100] == 50
    longer = {"l2.round_trip": 230, "dram.latency": 100}
    assert cold_load(simulate, load, changes=longer) - miss[100] == 30


def test_loads_to_a_sector_on_its_way_wait_for_the_same_request(simulate):
    loads = "@repeat 3 [B------:R-:W0:-:S02] LDG.E R4, [R2.64] ;"
    run = simulate(f"{loads}\n[B0-----:R-:W-:-:S01] NOP ;", warm="icache")
    assert (
        int(run.state.gpu.l2.slices["sector_accesses"].sum()) == 4
    )  # one line of four sectors, asked for once


def test_bank_conflicts_lengthen_shared_loads(simulate):
    """A stride of 8 bytes makes two lanes meet in each bank: the last wavefront is a cycle late."""
    latencies = []
    for stride in (4, 8, 16, 128):
        load = f"[B------:R-:W0:-:S02] LDS R4, [R2] ; @addr base=0 stride={stride}"
        run = simulate(f"{load}\n[B0-----:R-:W-:-:S01] NOP ;")
        latencies.append(run.issues("NOP")[0] - run.issues()[0])
    assert latencies == [24, 25, 27, 24 + 31]


@pytest.mark.parametrize("instruction", ["LDS R6, [R5]", "LDG.E R6, [R2.64]", "STS [R5], R6"])
def test_long_conflicting_streams_run_to_their_end(simulate, instruction):
    """32 wavefronts an instruction: the data stage falls behind and must hold the grants back.

    Stores leave their warps when they enter the table of 128 entries in front of the stage.
    """
    stream = f"@repeat 400 {instruction} ; @addr base=0 stride=128"
    run = simulate(stream, block=128, events=False)
    assert run.cycles >= (400 * 4 - 128) * 32


@pytest.mark.parametrize("instruction", ["STS [R5], R6", "STG.E [R2.64], R6", "LDS R6, [R5]"])
def test_long_conflicting_streams_with_counters(simulate, instruction):
    """The same with a write counter, whose decrement lies far in the future."""
    stream = f"@repeat 60 [B------:R-:W0:-:S01] {instruction} ; @addr base=0 stride=128"
    run = simulate(f"{stream}\n[B0-----:R-:W-:-:S01] NOP ;", block=128, events=False)
    assert run.cycles >= 60 * 4 * 32


@pytest.mark.parametrize(("stride", "lanes"), [(4, 1), (8, 2), (128, 32), (0, 32)])
def test_lanes_of_a_shared_atomic_pass_their_bank_twice(simulate, stride, lanes):
    """Also those that share a word; the first of the passes is part of the latency of a load."""
    add = f"[B------:R-:W0:-:S02] ATOMS.ADD R4, [R2], R6 ; @addr base=0 stride={stride}"
    run = simulate(f"{add}\n[B0-----:R-:W-:-:S01] NOP ;")
    assert run.issues("NOP")[0] - run.issues()[0] == 24 + 2 * lanes - 1


SHARED_WINDOW = 0x3_0000_0000


@pytest.mark.parametrize(
    ("instruction", "base", "stride", "cycles"),
    [
        ("LD.E R4", 0x10000, 4, 32),
        ("LD.E R4", SHARED_WINDOW, 4, 24),
        ("LD.E R4", SHARED_WINDOW + 256, 128, 24 + 31),  # all lanes in one bank
        ("ATOM.E.ADD.STRONG.GPU PT, R4", SHARED_WINDOW, 0, 24 + 63),
        ("LD.E R4", SHARED_WINDOW - 128, 4, 32),
        ("LD.E R4", SHARED_WINDOW + (1 << 24), 4, 32),
    ],
)
def test_the_address_of_a_generic_access_tells_its_memory(
    simulate, instruction, base, stride, cycles
):
    place = f"@addr base={base:#x} stride={stride}"
    operand = ", R6" if "ATOM" in instruction else ""
    code = f"[B------:R-:W0:-:S02] {instruction}, [R2.64]{operand} ; {place}"
    run = simulate(f"{code}\n[B0-----:R-:W-:-:S01] NOP ;")
    assert run.issues("NOP")[0] - run.issues()[0] == cycles


@pytest.mark.parametrize(("base", "sectors"), [(0x10000, 4), (SHARED_WINDOW, 0)])
def test_a_generic_store_to_shared_memory_sends_nothing(simulate, base, sectors):
    run = simulate(f"ST.E [R2.64], R4 ; @addr base={base:#x} stride=4")
    assert int(run.state.gpu.l2.slices["sector_accesses"].sum()) == sectors
