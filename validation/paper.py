"""The paper's experiments, expected against simulated.

Huerta et al., "Dissecting and Modeling the Architecture of Modern GPU Cores", MICRO 2025.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from .experiments import (
    figure_2,
    figure_4,
    listing_1,
    listing_2,
    listing_3,
    listing_4,
    small_cases,
    table_1,
    table_2,
)
from .experiments.case import Case, Row
from .report import Report, aligned

SCHEMA = 1
EXPERIMENTS = (
    *(listing_1, listing_2, listing_3, listing_4),
    *(figure_2, figure_4, table_1, table_2, small_cases),
)


def cases() -> Iterator[Case]:
    """Every number of the paper that the model claims."""
    for experiment in EXPERIMENTS:
        yield from experiment.cases()


def validate_paper(gpu: str = "rtx_a6000") -> PaperReport:
    """Simulate the paper's experiments on `gpu`. The paper measured Ampere."""
    return PaperReport(gpu, tuple(case.row(gpu) for case in cases()))


@dataclass(frozen=True)
class PaperReport(Report):
    """Expected and simulated number of each experiment.

    A row is wrong if the numbers differ, unless it is a known gap, or if it is a known gap and they
    do not differ any more.
    """

    gpu: str
    rows: tuple[Row, ...] = field(repr=False)

    @property
    def n_exact(self) -> int:
        return self._count("exact")

    @property
    def n_gaps(self) -> int:
        return self._count("gap")

    @property
    def n_wrong(self) -> int:
        return self._count("wrong", "closed")

    @property
    def exact(self) -> bool:
        """Whether all rows are exact; known gaps are not."""
        return self.n_exact == len(self.rows)

    def _count(self, *marks: str) -> int:
        return sum(row.mark in marks for row in self.rows)

    @property
    def summary(self) -> str:
        counts = f"{self.n_exact} exact, {self.n_gaps} known gaps, {self.n_wrong} wrong"
        return f"{len(self.rows)} numbers of the paper on {self.gpu}: {counts}"

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) | {"mark": row.mark} for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """What `warpwise validate paper --json` prints."""
        return {
            "schema": SCHEMA,
            "gpu": self.gpu,
            "exact": self.n_exact,
            "known_gaps": self.n_gaps,
            "wrong": self.n_wrong,
            "rows": self.records(),
        }

    def table(self) -> str:
        columns = ("experiment", "case", "expected", "simulated", "mark", "source")
        return aligned(columns, map(_cells, self.rows))


def _cells(row: Row) -> tuple[str, ...]:
    gap = f"; known gap: {row.known_gap}" if row.known_gap else ""
    expected, simulated = str(row.expected), str(row.simulated)
    return row.experiment, row.case, expected, simulated, row.mark, row.source + gap
