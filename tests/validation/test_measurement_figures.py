"""A plot for each experiment, with the cases in order and the error in its description."""

import csv

from warpwise.validation.experiments.measurement import Comparison
from warpwise.validation.hardware_checks import MeasurementReport

SIZES = [Comparison("chase: L1", f"{kb} KB", 33, 34, "S06") for kb in (4, 32, 128)]
NAMES = [Comparison("banks", name, 4, 3, "S05") for name in ("even", "odd")]


def test_a_figure_for_each_experiment():
    chase, banks = MeasurementReport((*SIZES, *NAMES)).figures()
    assert (chase.name, chase.title) == ("chase_l1", "chase: L1")
    assert "3 cases, mean absolute error 3.0 %" in chase.description
    assert list(banks.data["case"]) == ["even", "odd"]


def test_sizes_make_a_logarithmic_axis_and_names_do_not():
    chase, banks = MeasurementReport((*SIZES, *NAMES)).figures()
    axes = chase.canvas().axes[0]
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "KB")
    measured, simulated = axes.get_lines()
    assert list(measured.get_xdata()) == [4, 32, 128]
    assert set(simulated.get_ydata()) == {34}
    assert [label.get_text() for label in banks.canvas().axes[0].get_xticklabels()] == [
        "even",
        "odd",
    ]


def test_sizes_close_to_each_other_make_an_even_axis():
    (edge,) = MeasurementReport(tuple(SIZES[1:])).figures()
    assert edge.canvas().axes[0].get_xscale() == "linear"


def test_words_that_all_cases_share_are_said_once():
    cases = (Comparison("rate", f"card: {op}, with one chain", 4, 3, "S05") for op in ("A", "B"))
    (figure,) = MeasurementReport(tuple(cases)).figures()
    axes = figure.canvas().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["A,", "B,"]
    assert axes.get_xlabel() == "card: with one chain"


def test_files(tmp_path):
    (chase,) = MeasurementReport(tuple(SIZES)).figures()
    assert [path.suffix for path in chase.save(tmp_path)] == [".pdf", ".png", ".csv"]
    with (tmp_path / "chase_l1.csv").open(newline="") as file:
        assert [row["simulated"] for row in csv.DictReader(file)] == ["34"] * 3
