"""Turns the steps of a batch into the path and the addresses of each warp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...isa.program import Access
from ..kernel import WARP_SIZE, Accesses, Cta, Path, Warp
from .step import Step

NO_ROWS = np.zeros((0, WARP_SIZE), np.int64)


class PathPool:
    """One `Path` object for all warps of a kernel that did the same."""

    def __init__(self) -> None:
        self._paths: dict[bytes, Path] = {}

    def path(self, rows: NDArray[np.uint32]) -> Path:
        """The path with these rows of PC, active and executed lanes."""
        key = rows.tobytes()
        if key not in self._paths:
            self._paths[key] = Path(*(np.ascontiguousarray(column) for column in rows.T))
        return self._paths[key]


class Recorder:
    """Keeps what each step did, until the batch ends."""

    def __init__(self, warps: int) -> None:
        self._warps = warps
        self._steps: list[NDArray[np.uint32]] = []
        self._step_warps: list[NDArray[np.int64]] = []
        self._rows: list[NDArray[np.int64]] = []
        self._shared: list[NDArray[np.int64] | None] = []  # second addresses of the same rows
        self._row_warps: list[NDArray[np.int64]] = []

    def record(self, step: Step) -> None:
        """Note an executed instruction of all warps of the step."""
        rows = np.empty((len(step.warps), 3), np.uint32)
        rows[:, 0] = step.bound.index
        rows[:, 1] = step.active_bits
        rows[:, 2] = step.executed_bits
        self._steps.append(rows)
        self._step_warps.append(step.warps)
        if step.instruction.access is not Access.NONE:
            assert step.addresses is not None, step.instruction.text
            self._rows.append(step.addresses)
            self._shared.append(step.shared_addresses)
            self._row_warps.append(step.warps)

    def ctas(self, first: int, warps_per_cta: int, pool: PathPool) -> list[Cta]:
        """The CTAs of the batch, the first of them numbered `first`."""
        paths = self._split(self._steps, self._step_warps, np.zeros((0, 3), np.uint32))
        addresses = self._split(self._rows, self._row_warps, NO_ROWS)
        shared = self._split(self._shared_rows(), self._row_warps, NO_ROWS)
        warps = [
            Warp(pool.path(path), Accesses(*rows))
            for path, *rows in zip(paths, addresses, shared, strict=True)
        ]
        return [
            Cta(first + i, tuple(warps[i * warps_per_cta : (i + 1) * warps_per_cta]))
            for i in range(self._warps // warps_per_cta)
        ]

    def _shared_rows(self) -> list[NDArray[np.int64]]:
        """Second addresses, zeros where an access has none; nothing without any copy."""
        if all(rows is None for rows in self._shared):
            return []
        return [
            np.zeros_like(first) if second is None else second
            for first, second in zip(self._rows, self._shared, strict=True)
        ]

    def _split(
        self, parts: list[NDArray[Any]], warps: list[NDArray[np.int64]], nothing: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """Rows of each warp, in the order of the steps."""
        if not parts:
            return [nothing] * self._warps
        warp = np.concatenate(warps)
        rows = np.concatenate(parts)[np.argsort(warp, kind="stable")]
        ends = np.cumsum(np.bincount(warp, minlength=self._warps))
        return np.split(rows, ends[:-1])
