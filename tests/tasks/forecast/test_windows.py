"""Windows as a forecaster reads them: scaled, each with the calendar of its own."""

import numpy as np
import pytest

from tasks.data.calendar_features import calendar_features
from tasks.data.series import SeriesSet
from tasks.forecast.scaling import Scaling
from tasks.forecast.windows import scaled_windows

HORIZON, CONTEXT = 3, 4
STARTS = [np.datetime64("2024-01-01T00"), np.datetime64("2024-02-03T17")]
OPTIONS = dict(horizon=HORIZON, context_length=CONTEXT, channels=1, calendar=["day"])


def series(**more):
    values = [np.arange(9.0), np.arange(20.0, 32.0)]
    return SeriesSet(["a", "b"], values, STARTS, "h", **more)


def windows(data, transform=None, **options):
    scaling = Scaling(transform)
    scaling.fit(data)
    origins = [np.array([n]) for n in data.lengths]
    return scaling, scaled_windows(data, scaling, {**OPTIONS, **options}, 8, origins)


def test_each_series_has_the_calendar_of_its_own_start():
    data = series()
    _, found = windows(data)
    future = found.rows([0, 1], target=False)["future"]
    for i, length in enumerate(data.lengths):
        times = data.times(i, length - CONTEXT, length + HORIZON)
        np.testing.assert_allclose(
            future[i], calendar_features(times, ["day"]), atol=1e-6
        )
    assert np.abs(future[0] - future[1]).max() > 0.1


def test_values_are_scaled_and_missing_ones_stay_missing():
    data = series()
    data.values[0][-2] = np.nan
    scaling, found = windows(data, transform="standard", calendar=[])
    rows = found.rows([0, 1], target=False)
    np.testing.assert_array_equal(rows["mask"][0], [True, True, False, True])
    inside = scaling.forth(data)
    np.testing.assert_allclose(rows["values"][1], inside[1][-CONTEXT:, 0], rtol=1e-6)
    np.testing.assert_allclose(scaling.back(inside[1]), data.values[1], rtol=1e-9)


def test_the_calendar_goes_on_where_covariates_are_not_known():
    known = [np.ones((9, 1)), np.ones((12 + HORIZON, 1))]
    _, found = windows(series(future=known))
    future = found.rows([0, 1], target=False)["future"]
    calendar = future[..., -2:]
    assert np.abs(calendar[0, CONTEXT:]).max() > 0.1
    assert (future[0, CONTEXT:, :-2] == 0).all()


def test_values_too_large_for_the_model_are_named():
    data = series()
    data.values[1][3] = 1e40
    with pytest.raises(ValueError, match=r"'b' has values of size 1e\+40"):
        windows(data)
