"""Measurements that others published, measured against simulated, with the error in percent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from .experiments import (
    memory_levels,
    sm86_cache_bandwidth,
    sm86_dram_streams,
    sm86_instruction_cache,
    sm86_l1_strides,
    sm86_pointer_chase,
    sm86_register_ports,
    sm86_shared_memory,
    sm86_warps_per_subcore,
    turing_latency,
)
from .experiments.measurement import Comparison, Measurement
from .report import Report, aligned

if TYPE_CHECKING:
    from ..sim.report.figures import Figure

SCHEMA = 1
EXPERIMENTS = (
    sm86_register_ports,
    sm86_instruction_cache,
    sm86_warps_per_subcore,
    sm86_shared_memory,
    sm86_l1_strides,
    sm86_pointer_chase,
    sm86_cache_bandwidth,
    sm86_dram_streams,
    memory_levels,
    turing_latency,
)


def measurements() -> Iterator[Measurement]:
    """Every measured number, experiment by experiment."""
    for experiment in EXPERIMENTS:
        yield from experiment.measurements()


def validate_measurements() -> MeasurementReport:
    """Simulate every measurement: some minutes."""
    return MeasurementReport(tuple(measurement.compare() for measurement in measurements()))


@dataclass(frozen=True)
class ErrorStatistics:
    """Errors of the cases of one experiment, in percent."""

    experiment: str
    number: int
    mean: float  # of the absolute errors, as is the median
    median: float
    worst: float  # with its sign

    @classmethod
    def of(cls, experiment: str, rows: list[Comparison]) -> ErrorStatistics:
        errors = [row.error for row in rows]
        sizes = [abs(error) for error in errors]
        return cls(experiment, len(rows), fmean(sizes), median(sizes), max(errors, key=abs))


@dataclass(frozen=True)
class MeasurementReport(Report):
    """Measured and simulated number of each case, and the errors by experiment."""

    rows: tuple[Comparison, ...] = field(repr=False)

    @property
    def statistics(self) -> tuple[ErrorStatistics, ...]:
        """One entry per experiment, in the order of the rows."""
        by_experiment: dict[str, list[Comparison]] = {}
        for row in self.rows:
            by_experiment.setdefault(row.experiment, []).append(row)
        return tuple(ErrorStatistics.of(*item) for item in by_experiment.items())

    @property
    def summary(self) -> str:
        columns = ("experiment", "cases", "mean |error|", "median |error|", "worst error")
        return aligned(columns, map(_statistics_cells, self.statistics))

    def figures(self) -> list[Figure]:
        """A plot for each experiment."""
        from .measurement_figures import figures

        return figures(self)

    def records(self) -> list[dict[str, Any]]:
        return [asdict(row) | {"error": row.error} for row in self.rows]

    def table(self) -> str:
        columns = ("experiment", "case", "measured", "simulated", "error", "source")
        return aligned(columns, map(_cells, self.rows))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "schema": SCHEMA,
            "statistics": [asdict(entry) for entry in self.statistics],
            "rows": self.records(),
        }


def _statistics_cells(entry: ErrorStatistics) -> tuple[str, ...]:
    errors = f"{entry.mean:.1f} %", f"{entry.median:.1f} %", f"{entry.worst:+.1f} %"
    return entry.experiment, str(entry.number), *errors


def _cells(row: Comparison) -> tuple[str, ...]:
    numbers = f"{row.measured:.4g}", f"{row.simulated:.4g}", f"{row.error:+.1f} %"
    return row.experiment, row.case, *numbers, row.source
