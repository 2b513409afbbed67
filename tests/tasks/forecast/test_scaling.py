"""Transforms of values, there and back."""

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast.scaling import TRANSFORMS, Scaling, _box_cox_power

RANDOM = np.random.default_rng(0)
VALUES = np.exp(RANDOM.normal(2, 1, (200, 2)))
VALUES[5, 1] = np.nan


def fitted(transform, series=None):
    scaling = Scaling(transform)
    scaling.fit(SeriesSet.from_any(VALUES) if series is None else series)
    return scaling


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_back_undoes_forth(transform):
    scaling = fitted(transform)
    there = scaling.forth(SeriesSet.from_any(VALUES))[0]
    np.testing.assert_allclose(scaling.back(there), VALUES, rtol=1e-9)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_back_takes_any_axes_before_channels(transform):
    scaling = fitted(transform)
    block = np.abs(RANDOM.normal(size=(3, 4, 5, 2)))
    np.testing.assert_allclose(scaling.back(block)[1, 2], scaling.back(block[1, 2]))


def test_standardised_channels_have_mean_0_and_deviation_1():
    there = fitted("standard").forth(SeriesSet.from_any(VALUES))[0]
    np.testing.assert_allclose(np.nanmean(there, 0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(there, 0), 1)


def test_the_likeliest_power_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    for values in (VALUES[:, 0], RANDOM.uniform(1, 9, 300) ** 2):
        _, wanted = stats.boxcox(values)
        assert _box_cox_power(values) == pytest.approx(wanted, abs=0.03)


@pytest.mark.parametrize("transform", ["log", "box_cox"])
def test_values_that_are_not_positive_are_named(transform):
    with pytest.raises(ValueError, match="series 'b' has -1.0"):
        fitted(transform, SeriesSet.from_any({"a": [1.0, 2], "b": [3.0, -1]}))


@pytest.mark.parametrize("transform", ["standard", "box_cox"])
def test_constant_channels_survive(transform):
    series = SeriesSet.from_any(np.full((9, 1), 3.0))
    there = fitted(transform, series).forth(series)[0]
    assert np.isfinite(there).all()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_far_answers_stay_finite(transform):
    assert np.isfinite(fitted(transform).back(np.array([[1e4, -1e4]]))).all()


def test_missing_covariates_are_said_to_be_missing():
    past = np.array([[1.0, 10], [np.nan, 20], [3, 30]])
    series = SeriesSet.from_any([1.0, 2, 3], past_covariates=past)
    (rows,) = fitted(None, series).covariates("past", series.past)
    assert rows.shape == (3, 3)
    np.testing.assert_array_equal(rows[:, 2], [0, 1, 0])
    assert rows[1, 0] == 0.0  # the mean
    np.testing.assert_allclose(rows[:, 1].std(), 1)


def test_text_keeps_all():
    series = SeriesSet.from_any([1.0, 2, 3], past_covariates=np.array([1.0, 2, 4]))
    one = fitted("box_cox", series)
    other = Scaling.from_text(one.text())
    assert (other.transform, other.fitted) == ("box_cox", True)
    assert other.parameters == one.parameters


def test_unknown_transforms_are_refused():
    with pytest.raises(ValueError, match="box_cox.*square"):
        Scaling("square")
