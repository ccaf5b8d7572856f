"""The experiments measure what they say: without the cause, the effect is gone."""

import pytest

from warpwise.validation.experiments import figure_4, listing_1, listing_4, small_cases, table_1
from warpwise.validation.experiments.bench import clock_difference, events

GPU = "rtx_a6000"


@pytest.mark.parametrize(("rx", "ry"), listing_1.OPERANDS)
def test_two_read_ports_remove_the_bubbles_of_listing_1(rx, ry):
    overrides = {"sm.register_file.read_ports": 2}
    assert clock_difference(listing_1.code(rx, ry), GPU, **overrides) == 5


@pytest.mark.parametrize("instruction", [2, 3])
@pytest.mark.parametrize("example", listing_4.SECOND)
def test_without_register_file_cache_all_of_listing_4_misses(example, instruction):
    overrides = {"sm.register_file.cache": False}
    assert listing_4.lookup(example, instruction, GPU, **overrides) == "miss"


def test_a_stall_count_of_5_gives_the_four_bubbles_of_figure_4b():
    code = figure_4.CODE.format(second="-:S05")
    frame = events(figure_4.ALIGN + code, GPU, tuple(figure_4.WARPS.values()))
    issue = frame[frame["warp"] == figure_4.WARPS["W0"]]["issue"].tail(figure_4.INSTRUCTIONS)
    assert list(issue.diff()[1:3]) == [1, 1 + figure_4.DRAWN_BUBBLES]


def test_buffers_are_full_when_figure_4_starts():
    frame = events(
        figure_4.ALIGN + figure_4.CODE.format(second="-:S04"), GPU, tuple(figure_4.WARPS.values())
    )
    measured = frame.groupby("warp").tail(figure_4.INSTRUCTIONS)
    first_three = measured.groupby("warp").head(3)
    assert len(first_three) == 12
    assert (first_three["decode"] < measured["issue"].min()).all()


def test_figure_4_is_counted_from_w3():
    for case in figure_4.SECOND:
        assert figure_4.drawn(case, "W3")[:2] == [0, 1]


def test_spans():
    assert figure_4.spans([0, 1, 6, 7, 8, 12]) == "0-1 6-8 12-12"
    assert figure_4.spans([]) == ""


def test_table_1_has_all_cells():
    columns = table_1.expected()
    assert len(columns) == 1 + 2 + 3 + 4
    assert columns[4, 4] == "2 3 4 5 6 19 27 35 43 51"


def test_load_is_delayed_in_the_colliding_cycle_only():
    """One cycle earlier or later, the FADD and the load do not meet."""
    for earlier in ("S10", "S12"):
        code = small_cases.WRITES.replace("S11", earlier)
        other, same = (
            events(code.format(result=result), GPU)["writeback"][0] for result in ("R9", "R8")
        )
        assert other == same
