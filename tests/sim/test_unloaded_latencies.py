"""Loads that meet nobody: what the L1, shared memory, the L2 and memory take (memory 8.2, 9)."""

import pytest

ARCHS = {"rtx_2080_ti": "sm_75", "rtx_2070_super": "sm_75", "rtx_5070_ti": "sm_120"}
# A 64-bit load that hits the L1, one that passes it and hits the L2, the same from memory; then 32
# and 64 bits of shared memory.
TARGETS = {
    "rtx_a6000": (34, 249, 488, 24, 24),
    "rtx_3080": (34, 235, 490, 24, 24),
    "rtx_3080_ti": (34, 243, 446, 24, 24),
    "rtx_3090": (34, 246, 454, 24, 24),
    "rtx_2080_ti": (33, 217, 389, 23, 27),
    "rtx_2070_super": (33, 224, 414, 23, 27),
    "rtx_5070_ti": (34, 347, 640, 24, 24),
}
ONE_LANE = "@addr base=0x10000 stride=0"
LOAD = f"[B------:R-:W0:-:S02] {{}} R4, [R2.64] ; {ONE_LANE}\n[B0-----:R-:W-:-:S06] NOP ;\n"
SHARED = "[B------:R-:W0:-:S02] LDS{} R4, [R2] ;\n[B0-----:R-:W-:-:S06] NOP ;\n"
TAG_CHECK = 3


def latencies(simulate, gpu, code):
    run = simulate(code, gpu=gpu, arch=ARCHS.get(gpu, "sm_86"), warm="icache")
    load = run.state.kernel.program.instructions[0].opcode
    return [use - issue for use, issue in zip(run.issues("NOP"), run.issues(load), strict=True)]


@pytest.mark.parametrize("gpu", TARGETS)
def test_the_targets_are_met_to_the_cycle(simulate, gpu):
    l1, l2, memory, narrow, wide = TARGETS[gpu]
    bypass = LOAD.format("LDG.E.STRONG.GPU.64")
    assert latencies(simulate, gpu, 2 * bypass) == [memory, l2]
    plain = LOAD.format("LDG.E.64")
    assert latencies(simulate, gpu, 2 * plain) == [memory + TAG_CHECK, l1]
    assert latencies(simulate, gpu, SHARED.format("") + SHARED.format(".64")) == [narrow, wide]
