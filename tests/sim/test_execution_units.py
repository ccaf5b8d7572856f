"""Pipes, special functions and the shared FP64 unit (sm-core 5)."""

from itertools import pairwise

import pytest


def steps(cycles):
    return [b - a for a, b in pairwise(cycles)]


def steady(run, opcode):
    """Distances between issues once the first few are through."""
    return steps(run.issues(opcode))[8:]


@pytest.mark.parametrize(
    ("instruction", "pattern"),
    [
        ("FADD R1, R2, R5", [1]),  # two FP32 pipes with an initiation interval of 2
        ("FFMA R1, R2, R5, R4", [1, 1, 2]),  # two reads of bank 0, one port: see below
        ("IADD3 R1, R2, R5, RZ", [2]),  # one integer pipe
        ("IMAD R1, R2, R5, RZ", [2]),  # the first FP32 pipe only
        ("HADD2 R1, R2, R5", [2]),
        ("IMAD.WIDE R8, R3, R5, RZ", [4]),
        ("MUFU.RCP R1, R2", [8]),  # 4 lanes
        ("POPC R1, R2", [8]),
        ("DADD R8, R2, R4", [16]),  # 2 lanes for the SM
    ],
)
def test_rate_of_an_independent_stream(simulate, instruction, pattern):
    run = simulate(f"@repeat 40 [B------:R-:W-:-:S01] {instruction} ;")
    cycles = steady(run, instruction.split()[0].split(".")[0])
    if pattern == [1, 1, 2]:
        assert sum(cycles) == pytest.approx(2 * len(cycles), abs=2)
    else:
        assert set(cycles) == set(pattern)


def test_fp32_and_integer_share_a_pipe(simulate):
    """FADD and IADD3 in turn: one of each every two cycles, FADD on the first pipe."""
    pair = "FADD R1, R2, R5 ;\nIADD3 R3, R4, R7, RZ ;"
    run = simulate(f".repeat 20\n{pair}\n.end")
    assert run.issues()[:-1] == list(range(4, 44))


def test_single_fp32_pipe_halves_the_rate(simulate):
    changes = {"sm.pipes.fp32_on_integer_pipe": False}
    run = simulate("@repeat 30 FADD R1, R2, R5 ;", changes=changes)
    assert set(steady(run, "FADD")) == {2}


@pytest.mark.parametrize(
    ("gpu", "arch", "distance"),
    [("rtx_a6000", "sm_86", 1), ("rtx_5070_ti", "sm_120", 1), ("rtx_2080_ti", "sm_75", 2)],
)
def test_fp32_rate_of_each_architecture(simulate, gpu, arch, distance):
    """Turing's integer pipe does not take FP32."""
    run = simulate("@repeat 30 FADD R1, R2, R5 ;", gpu=gpu, arch=arch)
    assert set(steady(run, "FADD")) == {distance}


def test_another_unit_fills_the_gaps(simulate):
    """While the special function unit is taken for 8 cycles, NOPs issue in seven of them."""
    run = simulate(".repeat 6\nMUFU.RCP R1, R2 ;\n@repeat 7 NOP ;\n.end")
    assert run.issues()[:-1] == list(range(4, 52))


@pytest.mark.parametrize(
    ("instruction", "result", "sources"),
    [
        ("MUFU.RCP R1, R2", 19, 10),
        ("DADD R8, R2, R4", 48, 16),  # 8 + two operands of 4 + 28 and four of write-back
        ("DFMA R8, R2, R4, R6", 52, 20),
        ("S2R R1, SR_TID.X", 24, 9),
        ("SHFL.IDX PT, R1, R2, R3, R4", 24, 9),
    ],
)
def test_variable_latencies(simulate, instruction, result, sources):
    for control, expected in (("R-:W0", result), ("R0:W-", sources)):
        code = f"[B------:{control}:-:S02] {instruction} ;\n[B0-----:R-:W-:-:S01] NOP ;"
        run = simulate(code)
        assert run.issues("NOP")[0] - run.issues()[0] == expected


def test_fp64_unit_serves_the_four_subcores_in_turn(simulate):
    """Four operands arrive together; the unit takes one every 16 cycles, lowest sub-core first."""
    code = "[B------:R-:W0:-:S02] DADD R8, R2, R4 ;\n[B0-----:R-:W-:-:S01] NOP ;"
    run = simulate(code, block=128)
    assert run.issues("DADD") == [4] * 4
    assert [run.issues("NOP", subcore=s) for s in range(4)] == [[4 + 48 + 16 * s] for s in range(4)]


def test_fp64_queue_of_three_throttles_issue(simulate):
    """The unit takes its k-th at t + 16 + 16 k, which frees a place for issue in that cycle."""
    run = simulate("@repeat 6 [B------:R-:W-:-:S01] DADD R8, R2, R4 ;")
    assert run.issues("DADD") == [4, 5, 6, 4 + 16, 4 + 32, 4 + 48]


def test_load_loses_the_write_port_to_a_fixed_latency_result(simulate):
    """A load's last beat writes at t + 31; an FADD that issues at t + 21 writes at t + 31 too."""

    def consumer(destination):
        code = f"""[B------:R-:W0:-:S11] LDG.E R6, [R2.64] ;
[B------:R-:W-:-:S10] NOP ;
FADD {destination}, R2, R5 ;
[B0-----:R-:W-:-:S01] MOV R9, R6 ;"""
        run = simulate(code)
        assert run.issues("FADD")[0] - run.issues()[0] == 21
        return run.issues("MOV")[0] - run.issues()[0]

    assert [consumer("R11"), consumer("R8")] == [32, 33]  # other bank, same bank


def test_second_write_port_ends_that_conflict(simulate):
    code = """[B------:R-:W0:-:S11] LDG.E R6, [R2.64] ;
[B------:R-:W-:-:S10] NOP ;
FADD R8, R2, R5 ;
[B0-----:R-:W-:-:S01] MOV R9, R6 ;"""
    run = simulate(code, changes={"sm.register_file.write_ports": 2})
    assert run.issues("MOV")[0] - run.issues()[0] == 32


def test_operand_transfer_is_recorded(simulate):
    """The last cycle of the read is the one before the sources are released."""
    run = simulate("DADD R8, R2, R4 ;")
    assert run.column("read_done", "DADD")[0] - run.issues("DADD")[0] == 15
