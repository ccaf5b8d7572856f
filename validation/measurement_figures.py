"""A plot for each experiment that others did on hardware: measured and simulated, and the error."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from ..sim.report.figures import COLOURS, Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .hardware_checks import ErrorStatistics, MeasurementReport

NAMED = 12  # cases that fit as labels
SPREAD = 8  # largest size over the smallest, from which an axis of sizes is logarithmic


def figures(report: MeasurementReport) -> list[Figure]:
    """One for each experiment, in the report's order."""
    rows = report.frame
    return [
        _figure(statistics, rows[rows["experiment"] == statistics.experiment])
        for statistics in report.statistics
    ]


def _figure(statistics: ErrorStatistics, rows: pd.DataFrame) -> Figure:
    cases = list(rows["case"])
    places = _places(cases)
    highest = float(rows[["measured", "simulated"]].to_numpy().max())
    about = (
        f"{statistics.number} cases, mean absolute error {statistics.mean:.1f} %, "
        f"worst {statistics.worst:+.1f} %"
    )

    def draw(axes: Axes) -> None:
        for column, marker, colour in (("measured", "o", 6), ("simulated", "x", 1)):
            axes.plot(
                places, rows[column], marker=marker, color=COLOURS[colour], lw=0.8, label=column
            )
        axes.set(ylim=(0, 1.08 * highest))
        axes.set_title(f"{statistics.experiment}: {about}", fontsize=8)
        if places[0] > 0:
            scale = "log" if places[-1] > SPREAD * places[0] else "linear"
            axes.set(xscale=scale, xlabel=cases[0].partition(" ")[2])
        elif len(places) <= NAMED:
            names, shared = _short(cases)
            axes.set_xticks(places, names, rotation=30, ha="right")
            axes.set_xlabel(shared)
        axes.legend()

    return Figure(
        re.sub(r"\W+", "_", statistics.experiment.lower()),
        statistics.experiment,
        about,
        rows,
        draw,
    )


def _short(cases: list[str]) -> tuple[list[str], str]:
    """The names without the words that all begin or end with, and these words."""
    words = [case.split() for case in cases]
    first = _alike(words) if len(cases) > 1 else 0
    last = _alike([w[first:][::-1] for w in words]) if len(cases) > 1 else 0
    names = [" ".join(w[first : len(w) - last]) for w in words]
    return names, " ".join([*words[0][:first], *words[0][len(words[0]) - last :]])


def _alike(words: list[list[str]]) -> int:
    """How many words all begin with."""
    columns = zip(*words, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _places(cases: list[str]) -> list[float]:
    """The numbers that the names of the cases begin with if they ascend, else 0, 1, 2, ..."""
    found = [re.match(r"\d+(\.\d+)?(?= \w+$)", case) for case in cases]
    numbers = [float(match[0]) for match in found if match]
    ascending = len(numbers) == len(cases) and all(np.diff(numbers) > 0) and numbers[0] > 0
    return numbers if ascending else list(map(float, range(len(cases))))
