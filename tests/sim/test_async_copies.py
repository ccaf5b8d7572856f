"""Groups of asynchronous copies: LDGSTS, LDGDEPBAR, DEPBAR.LE (sm-core 1.8)."""

import pytest

WARM = "icache l1 const"
COPY = "@addr base={} stride=16 [B------:R-:W-:-:S04] LDGSTS.E.128 [R10], [R4.64] ;\n"
COMMIT = "[B------:R-:W{}:-:S01] LDGDEPBAR ;\n"
AWAIT = "[B------:R-:W-:-:S04] DEPBAR.LE SB{}, {:#x} ;\n"
READ = 39  # cycles from the issue of an LDGSTS whose line is in the L1 to the end of its read
DONE = READ + 4  # and until its four wavefronts are in shared memory
NEAR, FAR = 0x10000, 0x20000
SCOREBOARD = {"sm.dependence.mode": "scoreboard"}


def after(run, opcode, first=0):
    """Cycles from the issue of the `first`-th LDGSTS to those of `opcode`."""
    start = run.issues("LDGSTS")[first]
    return [cycle - start for cycle in run.issues(opcode)]


def test_commit_does_not_wait(simulate):
    run = simulate(COPY.format(NEAR) + COMMIT.format(0) + "NOP ;", warm=WARM)
    assert after(run, "LDGDEPBAR") == [4]
    assert after(run, "NOP") == [5]


def test_a_wait_mask_sees_the_group(simulate):
    run = simulate(
        COPY.format(NEAR) + COMMIT.format(2) + "NOP ;\n[B--2---:R-:W-:-:S01] FADD R1, R2, R5 ;",
        warm=WARM,
    )
    assert after(run, "FADD") == [DONE]


@pytest.mark.parametrize(("allowed", "group"), [(2, None), (1, 0), (0, 1)])
def test_depbar_waits_for_all_but_so_many_groups(simulate, allowed, group):
    code = 2 * (COPY.format(NEAR) + COMMIT.format(0)) + AWAIT.format(0, allowed)
    run = simulate(code + "FADD R1, R2, R5 ;", warm=WARM)
    if group is None:
        assert run.issues("FADD")[0] == run.issues("DEPBAR")[0] + 4
    else:
        assert after(run, "FADD", first=group) == [DONE]


@pytest.mark.parametrize(("width", "wavefronts"), [("", 1), (".64", 2), (".128", 4)])
@pytest.mark.parametrize("conflicts", [False, True])
def test_the_write_takes_wavefronts_of_the_data_stage(simulate, width, wavefronts, conflicts):
    """All 32 lanes in the same banks take 32 of them, whatever the width."""
    copy = COPY.format(NEAR).replace(".128", width).replace("=16", f"={4 * wavefronts}")
    if conflicts:
        copy, wavefronts = f"@shared base=0 stride=128 {copy}", 32
    run = simulate(
        copy + COMMIT.format(2) + "NOP ;\n[B--2---:R-:W-:-:S01] FADD R1, R2, R5 ;", warm=WARM
    )
    assert after(run, "FADD") == [READ + wavefronts]


def test_a_write_keeps_others_from_the_data_stage(simulate):
    """A load from shared memory, due in the middle of the copy's 32 wavefronts, is behind them."""
    copy = f"@shared base=0 stride=128 {COPY.format(NEAR).replace('.128', '')}"
    wait = "@repeat 3 [B------:R-:W-:-:S10] NOP ;\n"
    load = "[B------:R-:W0:-:S02] LDS R8, [R9] ;\n[B0-----:R-:W-:-:S01] FADD R1, R8, R5 ;"
    free = {"sm.async_copy.uses_data_stage": False}
    beside = simulate(copy + wait + load, warm=WARM, changes=free)
    behind = simulate(copy + wait + load, warm=WARM)
    assert beside.issues("FADD")[0] - beside.issues("LDS")[0] == 24
    at = behind.issues("LDS")[0] + 11  # its turn at the data stage
    left = behind.issues("LDGSTS")[0] + READ + 32 - at
    assert left > 0
    assert behind.issues("FADD")[0] - behind.issues("LDS")[0] == 24 + left


@pytest.mark.parametrize("warm", [WARM, "icache"])
def test_a_copy_is_read_seven_cycles_later_than_a_load(simulate, warm):
    """Whether the line is in the L1 or comes from memory (table 2 of the paper: 39 and 32)."""
    code = "@addr base=0x10000 stride=4 [B------:R-:W0:-:S02] {} ;\n[B0-----:R-:W-:-:S01] NOP ;"
    load, copy = (
        simulate(code.format(text), warm=warm)
        for text in ("LDG.E R8, [R4.64]", "LDGSTS.E [R10], [R4.64]")
    )
    assert copy.issues("NOP")[0] - load.issues("NOP")[0] == 7


def test_groups_complete_in_order(simulate):
    """The first group's line comes from memory, the second's is in the L1: it has to wait."""
    load = f"@addr base={FAR} stride=16 [B------:R-:W5:-:S02] LDG.E.128 R20, [R4.64] ;\n"
    touch = load + "[B-----5:R-:W-:-:S01] NOP ;\n"
    slow_then_fast = COPY.format(NEAR) + COMMIT.format(0) + COPY.format(FAR) + COMMIT.format(0)
    run = simulate(touch + slow_then_fast + AWAIT.format(0, 0) + "FADD R1, R2, R5 ;", warm="icache")
    only_slow = COPY.format(NEAR) + COMMIT.format(0)
    alone = simulate(touch + only_slow + AWAIT.format(0, 0) + "FADD R1, R2, R5 ;", warm="icache")
    assert after(run, "FADD") == after(alone, "FADD")
    assert after(run, "FADD")[0] > 200


def test_an_empty_group_is_complete(simulate):
    run = simulate(COMMIT.format(0) + AWAIT.format(0, 0) + "FADD R1, R2, R5 ;", warm=WARM)
    assert run.issues("FADD")[0] == run.issues("DEPBAR")[0] + 4


def test_scoreboards_keep_the_groups(simulate):
    """They cannot see what a copy writes: without control bits, DEPBAR is all that holds."""
    code = COPY.format(NEAR) + COMMIT.format(0) + AWAIT.format(0, 0) + "FADD R1, R2, R5 ;"
    assert after(simulate(code, warm=WARM, changes=SCOREBOARD), "FADD") == [DONE]


def test_a_wait_for_copies_is_a_long_scoreboard_stall(simulate):
    code = COPY.format(NEAR) + COMMIT.format(0) + AWAIT.format(0, 0) + "FADD R1, R2, R5 ;"
    assert simulate(code, warm=WARM).stalls["long_scoreboard"] >= DONE - 10
