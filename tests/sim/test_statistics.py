"""Statistics of hand-made kernels, computed by hand: accesses, lanes, pipes, speed of light."""

import pytest

from warpwise.sim import run
from warpwise.traces.handwritten import parse

HEAD = ".arch sm_86\n.kernel statistics\n.warm icache l1i l1 const\n"
END = "[B012345:R-:W-:-:S01] EXIT ;\n"


def statistics(body, head=""):
    kernel = run(parse(HEAD + head + body + END), sms=1).kernels[0]
    return kernel.to_dict() | kernel.statistics


@pytest.mark.parametrize(
    ("load", "stride", "sectors"),
    [("LDG.E", 4, 4), ("LDG.E.64", 8, 8), ("LDG.E.128", 16, 16), ("LDG.E", 32, 32)],
)
def test_sectors_of_a_global_load(load, stride, sectors):
    """Neighbours share sectors of 32 bytes; a stride of 32 bytes gives each lane its own."""
    line = f"[B------:R-:W0:-:S02] {load} R4, [R2.64] ; @addr base=0x10000 stride={stride}\n"
    found = statistics(line * 3)
    assert found["l1_requests_ld"] == 3
    assert found["l1_sectors_ld"] == 3 * sectors
    assert found["l1_sectors_per_request"] == sectors


def test_stores_and_shared_memory_are_no_global_loads():
    found = statistics(
        "[B------:R-:W0:-:S02] LDS R4, [R2] ;\n"
        "[B------:R0:W-:-:S02] STG.E [R2.64], R4 ; @addr base=0x10000 stride=4\n"
    )
    assert (found["l1_requests_ld"], found["l1_sectors_per_request"]) == (0, 0)


@pytest.mark.parametrize(("stride", "ways"), [(4, 1), (8, 2), (16, 4), (128, 32), (132, 1)])
def test_conflicts_of_shared_memory(stride, ways):
    """Words that lie in one of 32 banks come one after the other."""
    line = f"[B------:R-:W0:-:S02] LDS R4, [R2] ; @addr base=0 stride={stride}\n"
    found = statistics(line)
    assert found["shared_wavefronts"] == ways
    assert found["shared_conflicts"] == ways - 1


def test_wide_accesses_without_conflicts_have_none():
    found = statistics("[B------:R-:W0:-:S02] LDS.128 R4, [R2] ; @addr base=0 stride=16\n")
    assert (found["shared_wavefronts"], found["shared_conflicts"]) == (4, 0)


def test_lanes_whose_guard_does_not_hold():
    """Three instructions of 32 lanes; the guard of one never holds."""
    found = statistics("FADD R1, R2, R3 ;\n@!PT FADD R1, R2, R3 ;\n")
    assert found["threads_per_inst"] == 32
    assert found["threads_pred_on_per_inst"] == pytest.approx(32 * 2 / 3)


@pytest.mark.parametrize(
    ("gpu", "line", "pipe", "share"),
    [
        # One sub-core of four works; an instruction takes its pipe for two cycles.
        ("rtx_a6000", "IADD3 R1, R2, R3, R5", "alu", 2 / 4),
        ("rtx_a6000", "FADD R1, R2, R3", "fma", 2 / 8),  # of two pipes
        ("rtx_a6000", "HADD2 R1, R2, R3", "fma", 2 / 8),
        ("rtx_2080_ti", "FADD R1, R2, R3", "fma", 2 / 4),
        ("rtx_2080_ti", "HADD2 R1, R2, R3", "fp16", 2 / 4),
        ("rtx_a6000", "MUFU.RCP R1, R2", "xu", 8 / 4),
        ("rtx_a6000", "DADD R4, R2, R6", "fp64", 16),  # one unit for the SM
        ("rtx_a6000", "LDS R1, [R2]", "lsu", 2),
    ],
)
def test_pipes(gpu, line, pipe, share):
    """A hundred instructions, as a share of the active cycles."""
    arch = {"rtx_a6000": "sm_86", "rtx_2080_ti": "sm_75"}[gpu]
    text = HEAD.replace("sm_86", arch) + f"@repeat 100 [B------:R-:W-:-:S04] {line} ;\n" + END
    kernel = run(parse(text), gpu, sms=1).kernels[0]
    expected = 100 * 100 * share / kernel.sm_active_cycles
    assert kernel.statistics[f"pipe_{pipe}_busy"] == pytest.approx(expected)
    others = [n for n in kernel.statistics if n.startswith("pipe_") and n != f"pipe_{pipe}_busy"]
    assert all(kernel.statistics[n] == 0 for n in others if n != "pipe_cbu_busy")  # EXIT


def test_speed_of_light_is_that_of_the_busiest():
    """Conflicts of shared memory take 32 cycles of the data stage for each load."""
    found = statistics("@repeat 50 [B------:R-:W-:-:S01] LDS R4, [R2] ; @addr base=0 stride=128\n")
    assert found["sol_mem"] == pytest.approx(100 * 50 * 32 / found["cycles"])
    assert found["sol_sm"] < found["sol_mem"]
    assert found["sol_dram"] == 0


def test_sectors_that_reach_the_l2():
    """One cold load and one store of a line, four sectors each; no code, which is in the L0."""
    kernel = parse(
        ".arch sm_86\n.kernel cold\n.warm icache const\n"
        "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ; @addr base=0x10000 stride=4\n"
        "[B0-----:R0:W-:-:S02] STG.E [R2.64], R4 ; @addr base=0x20000 stride=4\n" + END
    )
    found = run(kernel, sms=1).kernels[0].statistics
    assert found["l2_sectors_from_l1_rd"] == 4
    assert found["l2_sectors_from_l1_wr"] == 4
    assert found["l2_sectors"] == 8
