"""Textures, of which traces have no addresses: latency and rate alone (memory 2.10)."""

import numpy as np
import pytest

from warpwise.sim import api
from warpwise.traces.handwritten import parse

FETCH = "[B------:R-:W{}:-:S02] TEX.SCR.LL R11, R14, R12, R10, 0x0, 0x58, 2D, 0x7 ;\n"
USE = "[B0-----:R-:W-:-:S01] FADD R1, R11, R5 ;"


def test_a_texture_takes_forty_cycles_more_than_a_hit(simulate):
    """Behind the grant: SHFL's way takes 11 cycles, that of an L1 hit 16."""
    texture = simulate(FETCH.format(0) + USE)
    shuffle = simulate("[B------:R-:W0:-:S02] SHFL.IDX PT, R11, R2, R3, R4 ;\n" + USE)
    took = [run.issues("FADD")[0] - run.issues()[0] for run in (texture, shuffle)]
    assert took[0] - took[1] == 16 + 40 - 11


@pytest.mark.parametrize("warps", [1, 4])
def test_an_sm_fetches_four_lanes_a_cycle(simulate, warps):
    run = simulate(10 * FETCH.format(0) + USE, block=32 * warps)
    ends = np.sort(run.column("writeback", "TEX"))
    assert set(np.diff(ends[2:])) == {8}


def test_a_run_says_that_textures_are_not_looked_up(sass):
    with pytest.warns(UserWarning, match="experiment uses textures or surfaces"):
        api.run(parse(sass(FETCH.format(0) + USE)), gpu="rtx_a6000")
