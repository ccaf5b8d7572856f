"""The report: marks, counts, and its views."""

import json

import pytest

from warpwise import validation
from warpwise.validation.experiments.case import Case, Row
from warpwise.validation.paper import PaperReport, cases

EXACT = Row("table 1", "a", 13, 13, "paper, table 1")
WRONG = Row("table 1", "b", 13, 14, "paper, table 1")
GAP = Row("table 1", "c", 13, 9, "paper, table 1", "9 instead of 13")
CLOSED = Row("table 1", "d", 13, 13, "paper, table 1", "9 instead of 13")


def report(*rows):
    return PaperReport("rtx_a6000", rows)


@pytest.mark.parametrize(
    ("mark", "row"), [("exact", EXACT), ("wrong", WRONG), ("gap", GAP), ("closed", CLOSED)]
)
def test_marks(mark, row):
    assert row.mark == mark


def test_a_closed_gap_is_wrong_until_its_case_says_so():
    assert report(EXACT, GAP).n_wrong == 0
    assert report(EXACT, GAP, CLOSED).n_wrong == 1
    assert report(EXACT, WRONG).n_wrong == 1


def test_known_gaps_are_not_exact():
    assert report(EXACT).exact
    assert not report(EXACT, GAP).exact


def test_a_case_becomes_a_row():
    case = Case("table 1", "b", 13, "paper, table 1", simulate=lambda gpu: len(gpu) + 5)
    assert case.row("rtx_a6000") == WRONG


def test_text_is_an_aligned_table_with_a_summary():
    header, first, second, blank, summary = str(report(EXACT, GAP)).splitlines()
    assert header.index("source") == first.index("paper") == second.index("paper")
    assert second.endswith("known gap: 9 instead of 13")
    assert not blank
    assert summary == "2 numbers of the paper on rtx_a6000: 1 exact, 1 known gaps, 0 wrong"


def test_frame_has_one_row_per_number():
    frame = report(EXACT, WRONG).frame
    assert list(frame["mark"]) == ["exact", "wrong"]
    assert {"experiment", "case", "expected", "simulated", "source"} <= set(frame.columns)
    assert "1 wrong" in report(EXACT, WRONG)._repr_html_()


def test_json():
    document = json.loads(json.dumps(report(EXACT, WRONG, GAP).to_dict()))
    assert (document["exact"], document["known_gaps"], document["wrong"]) == (1, 1, 1)
    assert document["rows"][1]["simulated"] == 14


def test_every_case_has_its_own_name():
    names = [(case.experiment, case.name) for case in cases()]
    assert len(names) == len(set(names))


def test_public_names():
    assert validation.PaperReport is PaperReport
    assert callable(validation.validate_paper)
    with pytest.raises(AttributeError):
        _ = validation.nothing
