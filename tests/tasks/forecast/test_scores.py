"""Scores of many windows at once, held against one window at a time."""

import numpy as np
import pytest

from tasks.forecast.naive import seasonal_naive
from tasks.forecast.scores import score_windows
from tasks.metrics import forecasts as metrics

RANDOM = np.random.default_rng(0)
SEASON, HORIZON = 4, 6


def example(missing=0.2):
    values = [RANDOM.normal(10, 2, (n, 2)) for n in (30, 21)]
    for array in values:
        gone = RANDOM.random(array.shape) < missing
        gone[0] = False
        array[gone] = np.nan
    origins = [np.array([9, 15, 24]), np.array([11, 15])]
    shape = (5, HORIZON, 2)
    mean = RANDOM.normal(10, 2, shape)
    quantiles = {q: mean + 3 * (q - 0.5) for q in (0.1, 0.5, 0.9)}
    return values, origins, mean, quantiles


def windows(values, origins):
    """Each window's history and what came after it."""
    for array, places in zip(values, origins, strict=True):
        for place in places:
            yield array[:place], array[place : place + HORIZON]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_scores_are_those_of_single_windows(missing):
    values, origins, mean, quantiles = example(missing)
    found = score_windows(values, origins, mean, quantiles, SEASON)
    histories, actual = zip(*windows(values, origins), strict=True)
    actual = np.stack(actual)
    naive = seasonal_naive(histories, HORIZON, SEASON)
    wanted = {
        "mse": metrics.mse(actual, mean),
        "mae": metrics.mae(actual, mean),
        "smape": metrics.smape(actual, mean),
        "mase": metrics.mase(actual, mean, histories, SEASON),
        "naive_mse": metrics.mse(actual, naive),
        "naive_mae": metrics.mae(actual, naive),
        "naive_mase": metrics.mase(actual, naive, histories, SEASON),
        "wql": metrics.weighted_quantile_loss(actual, quantiles),
        "coverage_80": metrics.coverage(actual, quantiles[0.1], quantiles[0.9]),
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
    assert found["skill"] == pytest.approx(1 - wanted["mase"] / wanted["naive_mase"])


def test_seasonal_naive_has_no_skill():
    values, origins, _, _ = example()
    histories, _ = zip(*windows(values, origins), strict=True)
    naive = seasonal_naive(histories, HORIZON, SEASON)
    assert score_windows(values, origins, naive, {}, SEASON)["skill"] == pytest.approx(
        0
    )


def test_the_truth_has_all_the_skill():
    values, origins, _, _ = example(missing=0.0)
    _, actual = zip(*windows(values, origins), strict=True)
    scores = score_windows(values, origins, np.stack(actual), {}, SEASON)
    assert scores["skill"] == 1.0 and scores["mse"] == 0.0


def test_points_have_no_scores_of_distributions():
    values, origins, mean, _ = example()
    assert "wql" not in score_windows(values, origins, mean, {}, SEASON)


def test_constant_series_have_a_skill():
    values, origins = [np.ones((30, 1))], [np.array([10])]
    right, wrong = np.ones((1, HORIZON, 1)), np.zeros((1, HORIZON, 1))
    assert score_windows(values, origins, right, {}, SEASON)["skill"] == 0.0
    assert score_windows(values, origins, wrong, {}, SEASON)["skill"] == -1.0


def test_values_beyond_the_end_do_not_count():
    values, origins = [np.arange(10.0)[:, None]], [np.array([8])]
    mean = np.full((1, HORIZON, 1), 8.0)
    assert score_windows(values, origins, mean, {}, SEASON)["mae"] == 0.5
