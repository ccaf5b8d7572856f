"""A number of the paper and what the simulator says to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Value = int | str


@dataclass(frozen=True)
class Row:
    """A case that was simulated."""

    experiment: str
    case: str
    expected: Value
    simulated: Value
    source: str
    known_gap: str = ""

    @property
    def mark(self) -> str:
        """`exact`, `gap` (known), `wrong`, or `closed`: a known gap that is none any more."""
        if self.expected == self.simulated:
            return "closed" if self.known_gap else "exact"
        return "gap" if self.known_gap else "wrong"


@dataclass(frozen=True)
class Case:
    """An expected number, where it comes from, and how to get the simulated one for a GPU."""

    experiment: str
    name: str
    expected: Value
    source: str
    simulate: Callable[[str], Value]
    known_gap: str = ""  # why it is not exact, and by how much

    def row(self, gpu: str) -> Row:
        simulated = self.simulate(gpu)
        return Row(
            self.experiment, self.name, self.expected, simulated, self.source, self.known_gap
        )
