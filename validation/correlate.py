"""Errors of a model against hardware: one function behind every comparison.

As the field defines them: signed error 100 (s - h) / h, APE its size, MAPE the mean of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]
RESAMPLES = 2000
SEED = 0
# Rows of the error tables of the paper's artifact, in its order; then what those do not show.
ARTIFACT_ROWS = (
    *("Average", "Min", "Max", "Median", "STD", "VAR", "Q_25", "Q_75", "Q_90"),
    *("Apps_with_more_or_equal_to_100", "Pearson_Corr"),
)


def signed_errors(hardware: Values, simulated: Values) -> Values:
    """Percent of the hardware's value, positive where the model takes longer."""
    return 100.0 * (simulated - hardware) / hardware


def statistics(hardware: Values, simulated: Values, seed: int = SEED) -> dict[str, float]:
    """The rows of the artifact's tables over the APEs, and further ones below them.

    Standard deviation and variance are those of a sample. What two cases or fewer do not define
    (interval, correlations) is NaN. Raises ValueError without a case.
    """
    if not len(hardware):
        raise ValueError("no case to compare")
    errors = signed_errors(hardware, simulated)
    sizes = np.abs(errors)
    spread = float(np.std(sizes, ddof=1)) if len(sizes) > 1 else np.nan
    low, high = interval(sizes, seed)
    logs = np.log(simulated / hardware)
    numbers: dict[str, Any] = {
        "Average": sizes.mean(),
        "Min": sizes.min(),
        "Max": sizes.max(),
        "Median": np.median(sizes),
        "STD": spread,
        "VAR": spread**2,
        "Q_25": np.quantile(sizes, 0.25),
        "Q_75": np.quantile(sizes, 0.75),
        "Q_90": np.quantile(sizes, 0.90),
        "Apps_with_more_or_equal_to_100": (sizes >= 100).sum(),
        "Pearson_Corr": pearson(hardware, simulated),
        "Pearson_Log": pearson(np.log(hardware), np.log(simulated)),
        "Spearman": spearman(hardware, simulated),
        "Average_low_95": low,
        "Average_high_95": high,
        "Signed_Average": errors.mean(),
        "Aggregate": 100 * np.abs(simulated - hardware).sum() / hardware.sum(),
        "Geomean_Ratio": np.exp(logs.mean()),
        "Apps": len(sizes),
    }
    return {name: float(value) for name, value in numbers.items()}


def interval(sizes: Values, seed: int = SEED) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean; the same for the same seed."""
    if len(sizes) < 2:
        return np.nan, np.nan
    picks = np.random.default_rng(seed).integers(0, len(sizes), (RESAMPLES, len(sizes)))
    low, high = np.quantile(sizes[picks].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def pearson(x: Values, y: Values) -> float:
    """Correlation; NaN for two cases or fewer, or if one side is constant."""
    if len(x) < 3 or not np.ptp(x) or not np.ptp(y):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def spearman(x: Values, y: Values) -> float:
    """Correlation of ranks; equal values share their mean rank."""
    import pandas as pd

    ranks = [np.asarray(pd.Series(side).rank(), np.float64) for side in (x, y)]
    return pearson(*ranks)


def influence(sizes: Values) -> Values:
    """How much each case moves the mean: mean of all minus mean of the others, in points."""
    n = len(sizes)
    if n < 2:
        return np.full(n, np.nan)
    return np.asarray(sizes.mean() - (sizes.sum() - sizes) / (n - 1))


def by_group(frame: pd.DataFrame, group: list[str], seed: int = SEED) -> pd.DataFrame:
    """`statistics` of the columns `hardware` and `simulated` for each group, one row each."""
    import pandas as pd

    rows = []
    for names, part in frame.groupby(group, sort=False):
        numbers = statistics(
            part["hardware"].to_numpy(float), part["simulated"].to_numpy(float), seed
        )
        rows.append(dict(zip(group, names, strict=True)) | numbers)
    return pd.DataFrame(rows)
