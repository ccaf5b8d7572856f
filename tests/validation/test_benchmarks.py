"""The benchmark's rows; no assert on seconds."""

import pytest

from warpwise.validation import benchmarks

INSTRUCTIONS = {
    "ffma": 2 * 24 * 401,  # two CTAs of 24 warps
    "gemm": 4 * 8 * (4 * (5 + 16 * 18 + 1) + 1),  # four CTAs of 8 warps, four tiles
    "saxpy": 12 * 8 * 8,
}


def test_rows_count_what_ran():
    rows = list(benchmarks.rows(sizes=(1,), threads=(1,)))
    assert {row.name: row.warp_inst for row in rows} == INSTRUCTIONS
    for row in rows:
        assert row.warp_inst_per_s == row.warp_inst / row.cpu_s  # of one thread


def test_several_threads_are_timed_by_the_wall_clock():
    assert benchmarks.Row("ffma", 1, 2, 100, 50, wall_s=0.5, cpu_s=0.8).warp_inst_per_s == 200


@pytest.mark.parametrize("key", ["name", "threads", "warp_inst_per_s", "cycles_per_s"])
def test_rows_are_plain_values(key):
    assert key in benchmarks.Row("ffma", 1, 1, 100, 50, 0.5, 0.4).to_dict()
