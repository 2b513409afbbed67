"""Forecasts without a model: in closed form, and beside statsforecast."""

import json
import statistics

import numpy as np
import pytest

from tasks.forecast import naive
from tests.tasks.forecast import naive_golden as golden

GOLDEN = json.loads(golden.PATH.read_text("utf-8"))["forecasts"]
METHODS = ["naive", "seasonal_naive", "drift", "naive2"]
NAN = np.nan


@pytest.mark.parametrize("method", ["naive", "seasonal_naive", "drift"])
class TestBesideStatsforecast:
    def answer(self, method):
        low, high = 0.5 - golden.COVERED / 200, 0.5 + golden.COVERED / 200
        mean, quantiles = naive.naive_quantiles(
            method, [golden.series()], golden.HORIZON, golden.SEASON, (low, high)
        )
        return mean[0], quantiles[low][0], quantiles[high][0]

    def test_means_are_the_same(self, method):
        mean, _, _ = self.answer(method)
        assert mean == pytest.approx(np.array(GOLDEN[method]["mean"]))

    def test_intervals_are_the_same(self, method):
        mean, low, high = self.answer(method)
        expected = {part: np.array(x) for part, x in GOLDEN[method].items()}
        # The slope that drift has fitted costs it a degree of freedom, here.
        errors = len(golden.series()) - 1
        factor = np.sqrt(errors / (errors - 1)) if method == "drift" else 1.0
        width = factor * (expected["hi-80"] - expected["mean"])
        assert high - mean == pytest.approx(width)
        assert mean - low == pytest.approx(width)


def test_seasonal_indices_are_those_of_statsmodels():
    found = naive.seasonal_indices(golden.series(), golden.SEASON)
    assert found == pytest.approx(np.array(GOLDEN["seasonal_indices"]))


def test_golden_numbers_are_what_the_libraries_still_say():
    pytest.importorskip("statsforecast")
    found = golden.forecasts()
    for method, parts in GOLDEN.items():
        if method == "seasonal_indices":
            assert found[method] == pytest.approx(parts)
        else:
            for part, values in parts.items():
                assert found[method][part] == pytest.approx(values)


def test_naive():
    found = naive.naive([[1.0, 5.0], [3.0, 4.0, 2.0]], horizon=2)
    assert found.tolist() == [[5, 5], [2, 2]]


def test_seasonal_naive_goes_on_in_phase():
    found = naive.seasonal_naive([[9.0, 1.0, 2.0, 3.0, 4.0]], horizon=5, season=3)
    assert found.tolist() == [[2, 3, 4, 2, 3]]


def test_seasonal_naive_of_less_than_a_season():
    found = naive.seasonal_naive([[1.0, 2.0]], horizon=4, season=3)
    # Places 1 and 2 of the season are known; the first one was never seen.
    assert found.tolist() == [[2, 1, 2, 2]]


def test_drift():
    found = naive.drift([[1.0, 7.0, 5.0], [4.0]], horizon=2)
    assert found.tolist() == [[7, 9], [4, 4]]


def test_missing_values_are_passed_over():
    history = [[1.0, 2.0, 3.0, NAN, 5.0, NAN]]
    assert naive.naive(history, 2).tolist() == [[5, 5]]
    assert naive.seasonal_naive(history, 3, 3).tolist() == [[1, 5, 3]]
    # From 1 at place 0 to 5 at place 4, on to places 6 and 7.
    assert naive.drift(history, 2).tolist() == [[7, 8]]


def test_naive2_of_a_pure_season_goes_on_exactly():
    season = np.array([1.0, 2.0, 4.0, 3.0])
    values = 10 * season[np.arange(26) % 4]
    found = naive.naive2([values], horizon=6, season=4)
    assert found[0] == pytest.approx(10 * season[np.arange(26, 32) % 4])


def test_naive2_of_an_odd_season():
    season = np.array([1.0, 2.0, 4.0])
    values = season[np.arange(20) % 3]
    found = naive.naive2([values], horizon=4, season=3)
    assert found[0] == pytest.approx(season[np.arange(20, 24) % 3])


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(10, 1, 40),  # no season
        np.array([1.0, 2.0, 4.0, 3.0] * 2 + [1.0]),  # too short to tell
        np.array([1.0, 2.0, 4.0, -3.0] * 6),  # a sign cannot be divided by
        np.array([1.0, 2.0, 4.0, 0.0] * 6),
        np.ones(40),
    ],
)
def test_naive2_without_a_season_is_naive(values):
    assert (naive.naive2([values], 5, 4) == naive.naive([values], 5)).all()


def test_naive2_with_a_hole_keeps_the_season():
    season = np.array([1.0, 2.0, 4.0, 3.0])
    values = 10 * season[np.arange(60) % 4]
    values[[7, 20, 33, 59]] = NAN
    found = naive.naive2([values], horizon=6, season=4)
    expected = 10 * season[np.arange(60, 66) % 4]
    assert found[0] == pytest.approx(expected, rel=0.02)


def test_the_test_of_seasons_is_that_of_the_competition():
    # R: abs(acf[4]) > 1.645 / sqrt(n) * sqrt(1 + 2 * sum(acf[1:3] ^ 2))
    random = np.random.default_rng(1)
    for scale in np.linspace(0.1, 1.5, 30):
        values = np.tile([0.0, scale, 0.0, 0.0], 10) + random.normal(0, 1, 40)
        centred = values - values.mean()
        covariance = np.correlate(centred, centred, "full")[39:]
        r = covariance / covariance[0]
        limit = 1.645 / np.sqrt(40) * np.sqrt(1 + 2 * (r[1:4] ** 2).sum())
        assert naive.is_seasonal(values, 4) == (abs(r[4]) > limit)


@pytest.mark.parametrize("method", METHODS)
class TestAll:
    def forecast(self, method, history, horizon=5, season=4, levels=(0.1, 0.5, 0.9)):
        return naive.naive_quantiles(method, history, horizon, season, levels)

    def histories(self):
        random = np.random.default_rng(2)
        return [random.gamma(3, 2, (n, 2)) for n in (30, 13, 50)]

    def test_shapes(self, method):
        mean, quantiles = self.forecast(method, self.histories())
        assert mean.shape == (3, 5, 2)
        assert {x.shape for x in quantiles.values()} == {(3, 5, 2)}
        flat, _ = self.forecast(method, [x[:, 0] for x in self.histories()])
        assert flat.shape == (3, 5)

    def test_channels_do_not_mix(self, method):
        both, quantiles = self.forecast(method, self.histories())
        for channel in (0, 1):
            history = [x[:, channel] for x in self.histories()]
            one, levels = self.forecast(method, history)
            assert (both[..., channel] == one).all()
            assert (quantiles[0.1][..., channel] == levels[0.1]).all()

    def test_the_median_is_the_mean(self, method):
        mean, quantiles = self.forecast(method, self.histories())
        assert (quantiles[0.5] == mean).all()

    def test_quantiles_are_in_order_and_part(self, method):
        _, quantiles = self.forecast(method, self.histories())
        widths = quantiles[0.9] - quantiles[0.1]
        assert (widths > 0).all()
        assert (widths[:, 4] > widths[:, 0]).all()

    def test_a_constant_has_no_spread(self, method):
        mean, quantiles = self.forecast(method, [np.full(20, 3.0)])
        assert (mean == 3).all() and (quantiles[0.9] == 3).all()

    def test_one_value_is_enough(self, method):
        mean, quantiles = self.forecast(method, [[2.0]])
        assert (mean == 2).all() and (quantiles[0.1] == 2).all()

    def test_a_series_without_values_is_named(self, method):
        with pytest.raises(ValueError, match="Series 1 has no values"):
            self.forecast(method, [[1.0], [NAN, NAN]])

    def test_an_empty_series_is_named(self, method):
        with pytest.raises(ValueError, match="Series 0 has no values"):
            self.forecast(method, [[]])

    @pytest.mark.parametrize("wrong", [{"horizon": 0}, {"season": 0}])
    def test_nothing_to_forecast_is_refused(self, method, wrong):
        with pytest.raises(ValueError, match="must be at least 1"):
            self.forecast(method, [[1.0]], **wrong)

    def test_levels_lie_between_0_and_1(self, method):
        with pytest.raises(ValueError, match="levels between 0 and 1"):
            self.forecast(method, [[1.0]], levels=(0.5, 1.0))

    def test_the_history_is_left_alone(self, method):
        history = self.histories()
        before = [x.copy() for x in history]
        self.forecast(method, history)
        assert all((a == b).all() for a, b in zip(history, before, strict=True))


def test_random_walks_are_covered_as_promised():
    walks = np.random.default_rng(4).normal(0, 1, (400, 210)).cumsum(1)
    _, quantiles = naive.naive_quantiles("naive", walks[:, :200], 10, 1, (0.1, 0.9))
    future = walks[:, 200:]
    inside = (quantiles[0.1] <= future) & (future <= quantiles[0.9])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)


def test_levels_are_those_of_a_normal_distribution():
    walk = np.random.default_rng(4).normal(0, 1, 5000).cumsum()
    _, quantiles = naive.naive_quantiles("naive", [walk], 1, 1, (0.841,))
    one = statistics.NormalDist().inv_cdf(0.841)
    assert quantiles[0.841][0, 0] - walk[-1] == pytest.approx(one, rel=0.05)


def test_unknown_methods_are_told_the_known_ones():
    with pytest.raises(ValueError, match="Unknown method 'theta'.*seasonal_naive"):
        naive.naive_quantiles("theta", [[1.0]], 1)
