"""Scores of forecasts: by closed forms, and beside the field's own libraries."""

import json
import math
import statistics

import numpy as np
import pytest

from tasks.metrics import forecasts
from tests.tasks.metrics import forecast_golden as golden

GOLDEN = json.loads(golden.PATH.read_text("utf-8"))["scores"]
HISTORY, ACTUAL, MEAN, QUANTILES, SAMPLES = golden.data()
POINT = [forecasts.mse, forecasts.rmse, forecasts.mae, forecasts.smape, forecasts.rse]


def as_mase(actual, mean, mask=None):
    return forecasts.mase(actual, mean, HISTORY, golden.SEASON, mask)


def as_rmsse(actual, mean, mask=None):
    return forecasts.rmsse(actual, mean, HISTORY, golden.SEASON, mask)


def as_wql(actual, mean, mask=None):
    return forecasts.weighted_quantile_loss(actual, {0.3: mean}, mask)


def as_crps(actual, mean, mask=None):
    samples = mean + np.linspace(-2, 2, 9)[:, None, None]
    return forecasts.crps_from_samples(actual, samples, mask)


def as_coverage(actual, mean, mask=None):
    return forecasts.coverage(actual, mean - 1, mean + 1, mask)


ALL = [*POINT, as_mase, as_rmsse, as_wql, as_crps, as_coverage]


@pytest.mark.parametrize("name", ["mse", "mae"])
def test_point_scores_are_those_of_utilsforecast(name):
    assert getattr(forecasts, name)(ACTUAL, MEAN) == pytest.approx(GOLDEN[name])


def test_smape_is_200_times_the_fraction_of_utilsforecast():
    # It leaves out the 2 of M4's formula, and the percent.
    assert forecasts.smape(ACTUAL, MEAN) == pytest.approx(200 * GOLDEN["smape"])


@pytest.mark.parametrize("score", [as_mase, as_rmsse])
def test_scaled_scores_are_those_of_utilsforecast(score):
    assert score(ACTUAL, MEAN) == pytest.approx(GOLDEN[score.__name__[3:]])


@pytest.mark.parametrize("level", golden.LEVELS)
def test_quantile_loss_is_that_of_utilsforecast(level):
    found = forecasts.quantile_loss(ACTUAL, QUANTILES)[level]
    assert found == pytest.approx(GOLDEN[f"quantile_loss_{level}"])


def test_weighted_quantile_loss_is_the_scaled_crps_of_utilsforecast():
    for i, expected in enumerate(GOLDEN["scaled_crps"]):
        one = {level: values[i : i + 1] for level, values in QUANTILES.items()}
        found = forecasts.weighted_quantile_loss(ACTUAL[i : i + 1], one)
        assert found == pytest.approx(expected)


def test_coverage_is_that_of_utilsforecast():
    found = forecasts.coverage(ACTUAL, QUANTILES[0.1], QUANTILES[0.9])
    assert found == pytest.approx(GOLDEN["coverage"])


def test_crps_of_samples_is_that_of_scoringrules():
    found = forecasts.crps_from_samples(ACTUAL, SAMPLES)
    assert found == pytest.approx(GOLDEN["crps_ensemble"])


def test_golden_numbers_are_what_the_libraries_still_say():
    pytest.importorskip("utilsforecast")
    pytest.importorskip("scoringrules")
    found = golden.scores()
    assert set(found) == set(GOLDEN)
    for name, value in GOLDEN.items():
        assert found[name] == pytest.approx(value)


def test_closed_forms():
    actual, mean = np.array([[1.0, 3.0]]), np.array([[2.0, 1.0]])
    assert forecasts.mse(actual, mean) == 2.5
    assert forecasts.rmse(actual, mean) == math.sqrt(2.5)
    assert forecasts.mae(actual, mean) == 1.5
    assert forecasts.smape(actual, mean) == pytest.approx(100 * (1 / 3 + 2 / 4))
    assert forecasts.rse(actual, mean) == pytest.approx(math.sqrt(5 / 2))
    # Seasonal differences of 0 4 1 6 are 1 and 2.
    history = [[0.0, 4.0, 1.0, 6.0]]
    assert forecasts.mase(actual, mean, history, season=2) == 1.0
    assert forecasts.rmsse(actual, mean, history, season=2) == 1.0
    assert forecasts.coverage(actual, actual - 1, actual) == 1.0
    assert forecasts.coverage(actual, mean, mean + 9) == 0.5


def test_quantile_losses_in_closed_form():
    actual, zero = np.array([[1.0, -3.0]]), np.zeros((1, 2))
    quantiles = {0.9: zero, 0.5: zero}
    assert forecasts.quantile_loss(actual, quantiles) == {
        0.9: pytest.approx((0.9 + 0.3) / 2),
        0.5: pytest.approx((0.5 + 1.5) / 2),
    }
    total = 2 * (1.2 + 2.0) / 2
    assert forecasts.weighted_quantile_loss(actual, quantiles) == pytest.approx(
        total / 4
    )
    assert forecasts.crps_from_quantiles(actual, quantiles) == pytest.approx(total / 2)


def test_both_crps_find_that_of_a_normal_distribution():
    normal = statistics.NormalDist()
    levels = [(i + 0.5) / 4000 for i in range(4000)]
    values = [normal.inv_cdf(level) for level in levels]
    for y in (0.0, 0.7, -2.0):
        density, below = normal.pdf(y), normal.cdf(y)
        exact = y * (2 * below - 1) + 2 * density - 1 / math.sqrt(math.pi)
        actual = np.array([[y]])
        quantiles = {q: np.array([[x]]) for q, x in zip(levels, values, strict=True)}
        samples = np.array(values)[:, None, None]
        by_quantiles = forecasts.crps_from_quantiles(actual, quantiles)
        assert by_quantiles == pytest.approx(exact, abs=1e-3)
        by_samples = forecasts.crps_from_samples(actual, samples)
        assert by_samples == pytest.approx(exact, abs=1e-3)


def test_crps_of_one_sample_is_the_absolute_error():
    found = forecasts.crps_from_samples(ACTUAL, MEAN[None])
    assert found == pytest.approx(forecasts.mae(ACTUAL, MEAN))


def test_smape_of_zeros_is_zero():
    zero = np.zeros((2, 3))
    assert forecasts.smape(zero, zero) == 0.0
    assert forecasts.smape(zero, zero + 1) == 200.0


def test_owa_of_naive2_is_one():
    found = forecasts.owa(ACTUAL, MEAN, MEAN, HISTORY, golden.SEASON)
    assert found == pytest.approx(1.0)


def test_owa_is_the_mean_of_both_ratios():
    other = np.roll(MEAN, 1, axis=1)
    ratios = [
        forecasts.smape(ACTUAL, other) / forecasts.smape(ACTUAL, MEAN),
        as_mase(ACTUAL, other) / as_mase(ACTUAL, MEAN),
    ]
    found = forecasts.owa(ACTUAL, other, MEAN, HISTORY, golden.SEASON)
    assert found == pytest.approx(np.mean(ratios))


def test_rse_of_the_mean_is_one():
    assert forecasts.rse(ACTUAL, np.full_like(ACTUAL, ACTUAL.mean())) == pytest.approx(
        1.0
    )


@pytest.mark.parametrize("score", ALL)
class TestMissingValues:
    def test_they_are_as_if_the_step_was_not_there(self, score):
        actual = ACTUAL.copy()
        actual[:, 2] = np.nan
        mean = MEAN.copy()
        mean[:, 2] = np.nan
        kept = [i for i in range(ACTUAL.shape[1]) if i != 2]
        expected = score(ACTUAL[:, kept], MEAN[:, kept])
        assert score(actual, mean) == pytest.approx(expected)

    def test_a_mask_leaves_out_the_same(self, score):
        mask = np.ones(ACTUAL.shape, bool)
        mask[:, 2:4] = False
        actual, mean = ACTUAL.copy(), MEAN.copy()
        # Anything may stand where nothing counts.
        actual[:, 2], mean[:, 3] = np.inf, np.nan
        kept = [0, 1, 4, 5, 6]
        expected = score(ACTUAL[:, kept], MEAN[:, kept])
        assert score(actual, mean, mask) == pytest.approx(expected)

    def test_nothing_to_count_has_no_score(self, score):
        assert math.isnan(score(np.full_like(ACTUAL, np.nan), MEAN))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_forecast_that_is_no_number_is_refused(self, score, value):
        mean = MEAN.copy()
        mean[1, 3] = value
        with pytest.raises(ValueError, match=r"Forecast .* at \(1, 3\)"):
            score(ACTUAL, mean)

    def test_an_infinite_truth_is_refused(self, score):
        actual = ACTUAL.copy()
        actual[0, 0] = np.inf
        with pytest.raises(ValueError, match="Actual value inf"):
            score(actual, MEAN)

    def test_shapes_must_agree(self, score):
        with pytest.raises(ValueError, match=r"\(6, 7\) and \(6, 6\)"):
            score(ACTUAL, MEAN[:, 1:])

    def test_a_mask_must_be_boolean(self, score):
        with pytest.raises(ValueError, match="boolean mask"):
            score(ACTUAL, MEAN, np.ones(ACTUAL.shape))


@pytest.mark.parametrize("score", [forecasts.mse, forecasts.mae, forecasts.rse])
def test_every_value_weighs_alike(score):
    actual = ACTUAL.copy()
    actual[0, 1:] = np.nan
    there = ~np.isnan(actual)
    flat = score(actual[there][None], MEAN[there][None])
    assert score(actual, MEAN) == pytest.approx(flat)


def test_every_series_weighs_alike_in_smape():
    actual = ACTUAL.copy()
    actual[0, 1:] = np.nan
    parts = [forecasts.smape(actual[i : i + 1], MEAN[i : i + 1]) for i in range(6)]
    assert forecasts.smape(actual, MEAN) == pytest.approx(np.mean(parts))


@pytest.mark.parametrize("score", [forecasts.mase, forecasts.rmsse])
class TestScale:
    def test_a_constant_history_is_left_out(self, score):
        history = [*HISTORY[:-1], np.ones(40)]
        expected = score(ACTUAL[:-1], MEAN[:-1], HISTORY[:-1], golden.SEASON)
        assert score(ACTUAL, MEAN, history, golden.SEASON) == pytest.approx(expected)

    @pytest.mark.parametrize("length", [0, 1, golden.SEASON])
    def test_a_history_without_a_season_is_left_out(self, score, length):
        history = [*HISTORY[:-1], HISTORY[-1][:length]]
        expected = score(ACTUAL[:-1], MEAN[:-1], HISTORY[:-1], golden.SEASON)
        assert score(ACTUAL, MEAN, history, golden.SEASON) == pytest.approx(expected)

    def test_pairs_with_a_missing_value_are_left_out(self, score):
        history = [np.append(row, np.nan) for row in HISTORY]
        expected = score(ACTUAL, MEAN, HISTORY, golden.SEASON)
        assert score(ACTUAL, MEAN, history, golden.SEASON) == pytest.approx(expected)

    def test_it_has_no_unit(self, score):
        expected = score(ACTUAL, MEAN, HISTORY, golden.SEASON)
        factor = np.array([1e-6, 1e6, 1, 3, 7, 10])[:, None]
        found = score(ACTUAL * factor, MEAN * factor, HISTORY * factor, golden.SEASON)
        assert found == pytest.approx(expected)

    def test_channels_are_series_of_their_own(self, score):
        expected = score(ACTUAL, MEAN, HISTORY, golden.SEASON)
        # Six series of one channel are two of three.
        shaped = [x.reshape(2, 3, -1).swapaxes(1, 2) for x in (ACTUAL, MEAN, HISTORY)]
        assert score(*shaped, golden.SEASON) == pytest.approx(expected)

    def test_histories_must_be_as_many(self, score):
        with pytest.raises(ValueError, match="5 histories for 6 series"):
            score(ACTUAL, MEAN, HISTORY[1:])

    def test_a_season_has_a_step_at_least(self, score):
        with pytest.raises(ValueError, match="`season` must be at least 1; got 0"):
            score(ACTUAL, MEAN, HISTORY, 0)

    def test_channels_of_histories_must_agree(self, score):
        with pytest.raises(ValueError, match="each history must be"):
            score(ACTUAL, MEAN, HISTORY[..., None])


@pytest.mark.parametrize("levels", [[], [0.5, 1.0], [0.0], [50]])
def test_levels_lie_between_0_and_1(levels):
    with pytest.raises(ValueError, match="levels between 0 and 1"):
        forecasts.quantile_loss(ACTUAL, dict.fromkeys(levels, MEAN))


def test_there_must_be_samples():
    with pytest.raises(ValueError, match="some samples"):
        forecasts.crps_from_samples(ACTUAL, SAMPLES[:0])
