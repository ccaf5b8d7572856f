"""A number measured on a card and what the simulator says to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .published import FOLDER

RTX_3060: Final = "rtx_a6000"  # the same SM
A40: Final = str(FOLDER / "a40.toml")  # the same die


@dataclass(frozen=True)
class Comparison:
    """A measurement that was simulated."""

    experiment: str
    case: str
    measured: float
    simulated: float
    source: str

    @property
    def error(self) -> float:
        """Percent by which the simulated number is too large."""
        return 100 * (self.simulated / self.measured - 1)


@dataclass(frozen=True)
class Measurement:
    """A measured number, where it was published, and how to get the simulated one."""

    experiment: str
    case: str
    measured: float
    source: str
    simulate: Callable[[], float]

    def compare(self) -> Comparison:
        simulated = self.simulate()
        return Comparison(self.experiment, self.case, self.measured, simulated, self.source)
