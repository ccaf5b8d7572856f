"""LDC and its cache, which is not that of constant operands (sm-core 3.5, memory 2.5)."""

import pytest

FILL = "[B------:R-:W-:Y:S00] NOP ;\n"  # 46 cycles in which the instruction buffer fills
LDC = "[B------:R-:W0:-:S02] LDC R4, c[0x3][{:#x}] ;\n[B0-----:R-:W-:-:S02] MOV R6, R4 ;\n"
HIT, L15 = 26, 79


def latencies(run):
    """Cycles from each LDC to its reader."""
    return [b - a for a, b in zip(run.issues("LDC"), run.issues("MOV"), strict=True)]


def test_a_line_is_missed_once(simulate):
    """Lines of 64 bytes; the next one comes with the 128 bytes of the L1.5."""
    code = FILL + "".join(LDC.format(offset) for offset in (0x0, 0x3C, 0x40, 0x7C, 0x0))
    first, *rest = latencies(simulate(code, warm="icache"))
    assert first > HIT + L15
    assert rest == [HIT, HIT + L15, HIT, HIT]


def test_warm_constants_hit(simulate):
    assert latencies(simulate(FILL + LDC.format(0x40), warm="icache const")) == [HIT]


def test_operands_of_fixed_latency_instructions_have_their_own_cache(simulate):
    """The LDC has brought the line into the L1.5: 79 cycles more (section 5.4 of the paper)."""
    use = "[B------:R-:W-:-:S02] FADD R1, R2, c[0x3][0x40] ;"
    run = simulate(FILL + LDC.format(0x40) + use, warm="icache")
    assert run.issues("FADD")[0] - run.issues("MOV")[0] == 2 + L15


def test_lanes_may_need_several_lines(simulate):
    """32 lanes 4 bytes apart: two lines of the cache, one of the L1.5."""
    wide = "@addr base=0 stride=4 [B------:R-:W0:-:S02] LDC R4, c[0x3][R8] ;\n"
    code = FILL + LDC.format(0x40) + wide + "[B0-----:R-:W-:-:S02] MOV R6, R4 ;"
    first, second = latencies(simulate(code, warm="icache"))
    assert second == 29 + L15  # with an address register a hit takes 29 cycles
    assert first > second


@pytest.mark.parametrize("lines", [32, 33])
def test_capacity(simulate, lines):
    """2 KB: the 33rd line of 64 bytes evicts one of the first set."""
    touched = [64 * k for k in range(lines)]
    code = FILL + "".join(LDC.format(offset) for offset in [*touched, 0])
    assert (latencies(simulate(code, warm="icache"))[-1] == HIT) == (lines == 32)


def test_every_lane_may_need_its_own_line(simulate):
    """32 lanes 128 bytes apart: 32 lines of the L1.5, one after the other through the port."""
    apart = "@addr base=0 stride=128 [B------:R-:W0:-:S02] LDC R4, c[0x3][R8] ;\n"
    code = FILL + apart + "[B0-----:R-:W-:-:S02] MOV R6, R4 ;"
    assert latencies(simulate(code, warm="icache"))[0] > HIT + L15
