"""Error statistics: known values, and what has to hold for any numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.validation.correlate import ARTIFACT_ROWS, influence, spearman, statistics

CYCLES = st.floats(1, 1e9)
PAIRS = st.lists(st.tuples(CYCLES, CYCLES), min_size=1, max_size=30).map(np.array)


def test_known_values():
    """Errors of +10, -20 and +60 percent."""
    numbers = statistics(np.array([100.0, 100.0, 10.0]), np.array([110.0, 80.0, 16.0]))
    assert numbers["Average"] == pytest.approx(30)
    assert (numbers["Min"], numbers["Median"], numbers["Max"]) == pytest.approx((10, 20, 60))
    assert numbers["VAR"] == pytest.approx(700)
    assert numbers["Q_75"] == pytest.approx(40)
    assert numbers["Signed_Average"] == pytest.approx(50 / 3)
    assert numbers["Aggregate"] == pytest.approx(100 * 36 / 210)
    assert numbers["Geomean_Ratio"] == pytest.approx((1.1 * 0.8 * 1.6) ** (1 / 3))


def test_rows_begin_as_in_the_artifact():
    numbers = statistics(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    assert tuple(numbers)[: len(ARTIFACT_ROWS)] == ARTIFACT_ROWS
    assert numbers["Apps_with_more_or_equal_to_100"] == 1


@given(PAIRS)
def test_order_of_statistics(pairs):
    numbers = statistics(*pairs.T)
    quantiles = [numbers[n] for n in ("Min", "Q_25", "Median", "Q_75", "Q_90", "Max")]
    assert quantiles == sorted(quantiles)
    margin = 1e-9 * numbers["Max"]
    assert numbers["Min"] - margin <= numbers["Average"] <= numbers["Max"] + margin
    assert abs(numbers["Signed_Average"]) <= numbers["Average"] + margin


@given(PAIRS.filter(lambda pairs: len(pairs) > 1), st.integers(0, 5))
def test_interval_repeats_for_its_seed_and_stays_among_the_errors(pairs, seed):
    one, two = (statistics(*pairs.T, seed) for _ in range(2))
    low, high = one["Average_low_95"], one["Average_high_95"]
    assert (low, high) == (two["Average_low_95"], two["Average_high_95"])
    margin = 1e-9 * one["Max"]
    assert one["Min"] - margin <= low <= high <= one["Max"] + margin


def test_one_outlier_has_all_the_influence():
    """Mean 31 with it and 1 without; each of the others pulls the mean down."""
    moved = influence(np.array([1.0, 1.0, 1.0, 121.0]))
    assert moved[3] == pytest.approx(30)
    assert moved[:3] == pytest.approx([-10, -10, -10])


def test_ranks_know_no_distances():
    assert spearman(np.array([1.0, 2, 3]), np.array([1.0, 10, 1e6])) == pytest.approx(1)


def test_nothing_is_not_zero():
    with pytest.raises(ValueError, match="no case"):
        statistics(np.array([]), np.array([]))
    assert np.isnan(statistics(np.array([1.0]), np.array([2.0]))["Pearson_Corr"])
