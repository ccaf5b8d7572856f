"""Constant operands of fixed-latency instructions: the L0 constant cache (sm-core 3.5, 8.7)."""

from itertools import pairwise

MEMORY = {"l2.round_trip": 200, "dram.latency": 100}
COLD = 40 + 200 + 39  # link and look-up in the L1.5, L2 (launch put bank 0 there), link back


def program(*offsets, bank=0):
    return "\n".join(f"FADD R1, R2, c[{bank:#x}][{offset:#x}] ;" for offset in offsets)


def distances(simulate, *offsets, bank=0, **options):
    """How late the first use is, and the distances between the others."""
    run = simulate(program(*offsets, bank=bank), changes=MEMORY, **options)
    cycles = run.issues("FADD")
    return cycles[0] - 4, [b - a for a, b in pairwise(cycles)]


def test_first_use_of_parameters_hits_the_l2_then_the_line_is_here(simulate):
    """Offsets 0x160 to 0x17c lie in one line of 64 bytes."""
    assert distances(simulate, 0x160, 0x164, 0x17C) == (COLD, [1, 1])


def test_other_banks_come_from_memory(simulate):
    assert distances(simulate, 0x0, 0x4, bank=3) == (COLD + 100, [1])


def test_a_miss_that_hits_the_l15_costs_79_cycles(simulate):
    """0x140 to 0x17f and 0x100 to 0x13f share a line of 128 bytes of the L1.5."""
    assert distances(simulate, 0x160, 0x100, 0x104) == (COLD, [1 + 79, 1])


def test_warm_constants_cost_nothing(simulate):
    assert distances(simulate, 0x160, 0x100, 0x900, warm="icache const") == (0, [1, 1])


def test_other_warps_issue_from_the_fifth_cycle_on(simulate):
    """Warp 4 misses in 4 and stops its sub-core up to 7; warp 0's EXIT could issue in 6."""
    run = simulate(program(0x160), block=160, active="4", changes=MEMORY)
    assert run.issues("FADD") == [4 + COLD]
    assert run.column("decode", "EXIT", warp=0) == [5]
    assert run.issues("EXIT", warp=0) == [8]


def test_misses_of_one_warp_and_instruction_stop_the_subcore_once(simulate):
    """Warp 0 comes to the same operand in 8, stops up to 11; both are served by one line."""
    run = simulate(program(0x160), block=160, active="0 4", changes=MEMORY)
    served = run.issues("FADD")
    assert served[0] == 4 + COLD
    assert served[1] <= 4 + COLD + 2
    assert run.stalls["misc"] == 0


def test_ldc_does_not_fill_this_cache(simulate):
    """A line loaded by LDC still misses at its first use as an operand."""
    run = simulate(
        "[B------:R-:W0:-:S02] LDC R4, c[0x0][0x160] ;\n"
        f"[B0-----:R-:W-:-:S01] NOP ;\n{program(0x160)}"
    )
    assert run.issues("FADD")[0] - run.issues("NOP")[0] >= 79
