"""A plot for each experiment that others did on hardware: measured and simulated, and the error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ..sim.report.figures import COLOURS, Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from .hardware_checks import ErrorStatistics, MeasurementReport

NAMED = 12  # cases that fit as labels


def figures(report: MeasurementReport) -> list[Figure]:
    """One for each experiment, in the report's order."""
    rows = report.frame
    return [
        _figure(statistics, rows[rows["experiment"] == statistics.experiment])
        for statistics in report.statistics
    ]


def _figure(statistics: ErrorStatistics, rows: pd.DataFrame) -> Figure:
    places = _places(list(rows["case"]))
    about = (
        f"{statistics.number} cases, mean absolute error {statistics.mean:.1f} %, "
        f"worst {statistics.worst:+.1f} %"
    )

    def draw(axes: Axes) -> None:
        for column, marker, colour in (("measured", "o", 6), ("simulated", "x", 1)):
            axes.plot(
                places, rows[column], marker=marker, color=COLOURS[colour], lw=0.8, label=column
            )
        axes.set(ylim=(0, None))
        axes.set_title(f"{statistics.experiment}: {about}", fontsize=8)
        if places[0] > 0:
            axes.set(xscale="log", xlabel=str(rows["case"].iloc[0]).partition(" ")[2])
        elif len(places) <= NAMED:
            axes.set_xticks(places, rows["case"], rotation=30, ha="right")
        axes.legend()

    return Figure(
        re.sub(r"\W+", "_", statistics.experiment.lower()),
        statistics.experiment,
        about,
        rows,
        draw,
    )


def _places(cases: list[str]) -> list[float]:
    """The numbers that the names of the cases begin with if they ascend, else 0, 1, 2, ..."""
    found = [re.match(r"\d+(\.\d+)?(?= \w+$)", case) for case in cases]
    numbers = [float(match[0]) for match in found if match]
    ascending = len(numbers) == len(cases) and all(np.diff(numbers) > 0) and numbers[0] > 0
    return numbers if ascending else list(map(float, range(len(cases))))
