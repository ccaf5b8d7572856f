"""Atomics at the L2: latency, lanes that share a word, warps that share a sector (memory 5.6)."""

import numpy as np
import pytest

from warpwise.sim import engine
from warpwise.sim.machine.load import load
from warpwise.validation.experiments.addressed import kernel

L2_HIT, ATOMIC = 247, 20  # of an RTX A6000: a 32-bit load; what an atomic adds
TOUCH = "[B------:R-:W0:-:S02] LDG.E.STRONG.GPU R4, [R2.64] ; {}\n[B0-----:R-:W-:-:S06] NOP ;\n"
ADD = (
    "[B------:R-:W0:-:S02] ATOMG.E.{} PT, R6, [R2.64], R8 ; {}\n[B0-----:R-:W-:-:S01] MOV R1, R6 ;"
)


def latency(simulate, addresses, operation="ADD.STRONG.GPU", **options):
    place = f"@addr base=0x10000 {addresses}"
    run = simulate(TOUCH.format(place) + ADD.format(operation, place), warm="icache", **options)
    return run.issues("MOV")[0] - run.issues("ATOMG")[0]


@pytest.mark.parametrize(("addresses", "turns"), [("stride=4", 0), ("stride=0", 31)])
def test_lanes_that_share_a_word_take_turns(simulate, addresses, turns):
    """32 neighbouring words are changed together; on one word each lane but the first waits."""
    assert latency(simulate, addresses) == L2_HIT + ATOMIC + turns


def test_64_bits_take_two_turns(simulate):
    """And their result two cycles more of write-back."""
    assert latency(simulate, "stride=0", "ADD.64.STRONG.GPU") == L2_HIT + 2 + ATOMIC + 63


def test_authors_send_each_lane_of_a_word_alone(simulate):
    one, many = (latency(simulate, f"stride={s}", preset="authors") for s in (4, 0))
    assert many - one == 31


REDUCE = "[B------:R-:W-:-:S02] RED.E.ADD.STRONG.GPU [R2.64], R8 ;"
CTAS = 84 * 4


def cycles_between(sectors):
    """Cycles between the reductions of one thread a CTA, on `sectors` sectors of a line in turn."""

    def addresses(threads):
        return np.broadcast_to(0x10000 + 32 * (threads[0] % sectors), (1, len(threads)))

    def cycles(ctas):
        return engine.simulate(
            kernel("reduce", REDUCE, ctas, 1, addresses), load()
        ).execution_cycles

    return (cycles(2 * CTAS) - cycles(CTAS)) / CTAS


@pytest.mark.parametrize("sectors", [1, 2, 4])
def test_warps_follow_each_other_on_a_sector(sectors):
    """20 cycles apart; a word at a time, that is 0.2 bytes a cycle: 0.19 on an RTX 4090."""
    assert cycles_between(sectors) == pytest.approx(20 / sectors, rel=0.01)


def test_a_reduction_reads_what_it_changes(simulate):
    """A store of whole sectors does not."""
    for instruction, sectors in (("RED.E.ADD.STRONG.GPU", 4), ("STG.E", 0)):
        run = simulate(f"{instruction} [R2.64], R8 ; @addr base=0x10000 stride=4", warm="icache")
        assert int(run.state.gpu.dram.channel["sectors_read"].sum()) == sectors
