"""What a kernel finds in the L2: all that the one before left, or less (memory 5.7)."""

import pytest

from warpwise.sim import run
from warpwise.sim.stalls import STATES
from warpwise.traces.handwritten import parse

KERNEL = """
.arch sm_86
.kernel {name}
.block 128
.grid 64
.warm icache const
{code}
[B------:R-:W-:-:S01] EXIT ;
"""
PLACE = "@addr base={:#x} stride=4"
READ = f"[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ; {PLACE.format(0x10000)}"
WRITE = f"[B------:R-:W-:-:S02] STG.E [R2.64], R4 ; {PLACE.format(0x10000)}"


LINES = "[B------:R-:W0:-:S02] LDG.E R4, [R2.64] ; @addr base=0x10000 stride=128"


def kernels(first, second, between):
    trace = parse(KERNEL.format(name="a", code=first) + KERNEL.format(name="b", code=second))
    return run(trace, sms=1, **{"l2.between_kernels": between}).kernels


@pytest.mark.parametrize("first", [READ, WRITE])
@pytest.mark.parametrize(("between", "found"), [("keep", True), ("clear", False)])
def test_a_kernel_finds_what_the_one_before_left(first, between, found):
    second = kernels(first, READ, between)[1].statistics
    assert (second["l2_hit_rate"] == 100, second["dram_read"] == 0) == (found, found)


def test_authors_clear_half_of_the_slices():
    """32 lines in 32 of 48 slices, the first 24 of which are cleared."""
    second = kernels(LINES, LINES, "clear_some")[1].statistics
    assert 0.25 < second["dram_read"] / (32 * 32) < 0.75


def test_time_begins_anew():
    """What was on its way when the kernel before ended is here at once; hits are hits."""
    first, second = (k.execution_cycles for k in kernels(READ, READ, "keep"))
    assert first - second == 239  # what memory adds
    late = "@repeat 400 NOP ;\n" + READ
    assert kernels(late, READ, "keep")[1].execution_cycles == second


def test_attribution_follows_the_same_kernels():
    """It simulates a kernel a second time, which has to find the same L2."""
    trace = parse(KERNEL.format(name="a", code=READ) + KERNEL.format(name="b", code=READ))
    second = run(trace, sms=1, attribution=True).kernels[1]
    states = second.attribution.by_pc[list(STATES)].to_numpy()
    assert states.sum() == second.statistics["warp_cycles"]
