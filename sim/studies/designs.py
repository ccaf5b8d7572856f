"""Which points of a design space to run when the whole grid is too many: samples and screening."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float | bool
PRIMES = (3, 7, 11, 19, 23, 31, 43, 47)  # all congruent to 3 modulo 4
SIZES = sorted({16, *(prime + 1 for prime in PRIMES)})  # runs of a screening design
MOST_FACTORS = SIZES[-1] - 1


def latin_hypercube(
    ranges: Mapping[str, tuple[float, float]], samples: int, seed: int
) -> list[dict[str, Value]]:
    """Points that fill the ranges evenly in each parameter (McKay et al. 1979).

    A range of two integers gives integers, both ends included; the same seed gives the same points.
    """
    from scipy.stats import qmc

    unit = qmc.LatinHypercube(len(ranges), rng=np.random.default_rng(seed)).random(samples)
    bounds = ranges.values()
    return [
        {name: _scaled(float(x), *ends) for name, x, ends in zip(ranges, row, bounds, strict=True)}
        for row in unit
    ]


def _scaled(x: float, low: float, high: float) -> int | float:
    """Where `x` of [0, 1) lies between the ends."""
    if isinstance(low, int) and isinstance(high, int):
        return low + math.floor(x * (high - low + 1))
    return low + x * (high - low)


def plackett_burman(factors: int) -> NDArray[np.int8]:
    """Levels -1 and 1, one row a run, one column a factor: columns are balanced and orthogonal.

    The fewest runs that Paley's construction gives for a prime, or a power of two: at most 32 for
    31 factors (Plackett and Burman 1946). Raises ValueError for more than 47 factors.
    """
    if factors > MOST_FACTORS:
        raise ValueError(f"{factors} factors; a screening design has at most {MOST_FACTORS}")
    return _design(next(n for n in SIZES if n > factors))[:, :factors]


def _design(runs: int) -> NDArray[np.int8]:
    """A Hadamard matrix without its constant column; its last row is all low."""
    if runs - 1 not in PRIMES:
        from scipy.linalg import hadamard

        return -np.asarray(hadamard(runs), np.int8)[::-1, 1:]
    prime = runs - 1
    squares = {k * k % prime for k in range(prime)}  # with 0, the diagonal
    first = np.array([1 if k in squares else -1 for k in range(prime)], np.int8)
    rows = [np.roll(first, k) for k in range(prime)]
    return np.vstack([*rows, np.full(prime, -1, np.int8)])


def screening(factors: Mapping[str, Sequence[Value]], foldover: bool) -> list[dict[str, Value]]:
    """Runs that tell which factors matter; each factor has a low and a high value.

    A foldover repeats every run with all levels swapped: twice the runs, and interactions of two
    factors no longer disturb the main effects.
    """
    levels = plackett_burman(len(factors))
    if foldover:
        levels = np.vstack([levels, -levels])
    return [
        {
            name: pair[int(level > 0)]
            for (name, pair), level in zip(factors.items(), row, strict=True)
        }
        for row in levels
    ]


def main_effects(
    frame: pd.DataFrame,
    factors: Mapping[str, Sequence[Any]],
    response: str = "execution_cycles",
) -> pd.DataFrame:
    """What each factor does to the response, for each kernel of a screening's table.

    `effect` is the mean at the high value less the mean at the low value, in the response's unit;
    `effect_pct` is that as a share of the kernel's mean; `rank` 1 is the largest in magnitude.
    Kernels with a point that failed are left out: without it, the columns are not orthogonal.
    Rows of other designs in the same table do not have all factors and do not count.
    """
    import pandas as pd

    frame = frame[frame[list(factors)].notna().all(axis="columns")]

    group = ["input", *(["seed"] if "seed" in frame else [])]
    rows = []
    for key, runs in frame.groupby(group, sort=False, dropna=False):
        if runs["error"].notna().any():
            continue
        for (name, launch), kernel in runs.groupby(["name", "launch"], sort=False):
            values = kernel[response].astype(float)
            for factor, (low, high) in factors.items():
                effect = (
                    values[kernel[factor] == high].mean() - values[kernel[factor] == low].mean()
                )
                rows.append(
                    dict(zip(group, key, strict=True))
                    | {"name": name, "launch": launch, "factor": factor, "effect": effect}
                    | {"effect_pct": 100 * effect / values.mean()}
                )
    columns = [*group, "name", "launch", "factor", "effect", "effect_pct"]
    effects = pd.DataFrame(rows, columns=columns)
    size = effects["effect"].abs().groupby([effects[c] for c in [*group, "name", "launch"]])
    effects["rank"] = size.rank(ascending=False, method="min").astype(int)
    return effects
