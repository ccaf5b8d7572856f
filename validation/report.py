"""What the reports of the validation have in common: rows, a table, a data frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text, columns padded to their width."""
    cells = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


class Report(ABC):
    """Rows with a summary; prints as a table, shows as a table in a notebook."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """The result in one line or a few."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """One dictionary per row."""

    @abstractmethod
    def table(self) -> str:
        """The rows as text."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per number."""
        import pandas as pd

        return pd.DataFrame(self.records())

    def __str__(self) -> str:
        return f"{self.table()}\n\n{self.summary}"

    def _repr_html_(self) -> str:
        return f"<pre>{self.summary}</pre>{self.frame.to_html(index=False)}"
