"""Designs: samples fill each range evenly; a screening finds what matters, and only that."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpwise.sim.studies.designs import (
    MOST_FACTORS,
    latin_hypercube,
    main_effects,
    plackett_burman,
    screening,
)


@pytest.mark.parametrize("factors", range(1, MOST_FACTORS + 1))
def test_columns_of_a_screening_are_balanced_and_orthogonal(factors):
    levels = plackett_burman(factors).astype(int)
    runs = len(levels)
    assert factors < runs <= max(4, 2 * factors)
    assert (levels.T @ levels == runs * np.eye(factors)).all()
    assert (levels.sum(axis=0) == 0).all()


def test_a_screening_of_too_many_factors():
    with pytest.raises(ValueError, match="at most 47"):
        plackett_burman(MOST_FACTORS + 1)


@given(samples=st.integers(1, 40), seed=st.integers(0, 5), low=st.integers(-9, 9))
def test_a_latin_hypercube_has_one_sample_in_each_slice(samples, seed, low):
    points = latin_hypercube({"x": (low, low + samples - 1), "y": (0.0, 1.0)}, samples, seed)
    assert sorted(point["x"] for point in points) == list(range(low, low + samples))
    slices = sorted(int(point["y"] * samples) for point in points)
    assert slices == list(range(samples))
    ranges = {"x": (low, low + samples - 1), "y": (0.0, 1.0)}
    assert points == latin_hypercube(ranges, samples, seed)


def table(points, response):
    rows = [{**point, "cycles": response(point), "error": None} for point in points]
    return pd.DataFrame(rows).assign(input="k", name="k", launch=0)


FACTORS = dict.fromkeys("abcdefg", (0, 1))


def test_main_effects_of_a_linear_response_are_its_coefficients():
    weights = dict(zip(FACTORS, (5, 0, -40, 0, 0, 3, 0), strict=True))
    runs = table(
        screening(FACTORS, foldover=False),
        lambda point: 1000 + sum(weights[name] * value for name, value in point.items()),
    )
    effects = main_effects(runs, FACTORS, "cycles").set_index("factor")
    assert effects["effect"].to_dict() == pytest.approx(weights)
    assert effects["rank"].idxmin() == "c"
    assert effects.loc["c", "effect_pct"] == pytest.approx(-100 * 40 / runs["cycles"].mean())


def test_a_foldover_keeps_interactions_out_of_main_effects():
    """Three factors act in pairs only; seven in eight runs would show them elsewhere."""

    def response(point):
        a, b, c = (2 * point[name] - 1 for name in "abc")
        return 100 + 10 * a * b + 10 * b * c

    largest = {}
    for foldover in (False, True):
        runs = table(screening(FACTORS, foldover), response)
        largest[foldover] = main_effects(runs, FACTORS, "cycles")["effect"].abs().max()
    assert largest[False] > 5
    assert largest[True] == pytest.approx(0)


def test_kernels_with_a_failed_point_have_no_effects():
    runs = table(screening(FACTORS, foldover=False), lambda point: 1)
    runs.loc[3, "error"] = "cycle limit"
    assert main_effects(runs, FACTORS, "cycles").empty
