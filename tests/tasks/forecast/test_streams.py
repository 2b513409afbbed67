"""Streams: as if all rows had come at once, whatever is carried."""

import numpy as np
import pytest

from tasks.data.series import SeriesSet
from tasks.forecast import streams
from tasks.forecast.carried import why_not_carried
from tasks.forecasting import Forecaster

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
HORIZON, CONTEXT, LENGTH = 4, 6, 23
CARRIED = dict(normalization=None, transform="standard", units=5, samples=7)
START = np.datetime64("2024-01-01T00")


def make(context=CONTEXT, **options):
    """An untrained forecaster: random weights are as good as any."""
    forecaster = Forecaster(HORIZON, context, **{**CARRIED, "season": 3, **options})
    random = np.random.default_rng(3)
    for weight in forecaster.model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return forecaster


def some_series(lengths=(LENGTH,), channels=1, covariates=False):
    random = np.random.default_rng(0)
    values = [random.normal(5, 2, (n, channels)) for n in lengths]
    values[0][2, 0] = np.nan
    ids, starts = [str(i) for i in range(len(lengths))], [START] * len(lengths)
    if not covariates:
        return SeriesSet(ids, values, starts, "h")
    known = [random.normal(size=(n + HORIZON, 2)) for n in lengths]
    return SeriesSet(
        ids, values, starts, "h", static=np.eye(len(lengths)), future=known
    )


def rows(series, start, stop):
    """Some rows; of what is known ahead no more than the horizon needs."""
    part = series.slice(start, stop)
    if part.future is None:
        return part
    future = [
        known[: n + HORIZON] for known, n in zip(part.future, part.lengths, strict=True)
    ]
    return SeriesSet(
        part.ids,
        part.values,
        part.starts,
        part.frequency,
        part.static,
        part.past,
        future,
        part.names,
    )


def streamed(forecaster, series, stops, **how):
    """The forecast after the last of some updates."""
    forecaster.restart()
    for start, stop in zip((0, *stops), stops, strict=False):
        forecast = forecaster.update(rows(series, start, stop), **how)
    return forecast


FORMS = {
    "direct": dict(architecture="direct", layer="zoneout_lstm"),
    "direct, two layers": dict(architecture="direct", layer="qrnn", num_layers=2),
    "autoregressive": dict(architecture="autoregressive", head="gaussian"),
}
ALL = dict(
    channels=2, static_size=1, future_size=2, frequency="h", calendar=["day"], season=3
)


SLOW = pytest.param("direct, two layers", marks=pytest.mark.slow)


@pytest.mark.parametrize("form", ["direct", "autoregressive", SLOW])
def test_a_carried_state_forecasts_as_reading_from_the_start(form):
    series = some_series()
    options = {**FORMS[form], "frequency": "h"}
    forecaster, whole = make(**options), make(context=LENGTH, **options)
    whole.model.set_weights(forecaster.model.get_weights())
    for one in (forecaster, whole):
        one.scaling.fit(series)
    assert forecaster.carries_state
    wanted = whole.predict(series, seed=1)
    found = streamed(forecaster, series, (1, 2, 8, 16, LENGTH), seed=1)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-4, atol=1e-4)
    for level, values in wanted.quantiles.items():
        np.testing.assert_allclose(found.quantiles[level], values, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.times(0), wanted.times(0))
    np.testing.assert_allclose(found.seasonal_naive, wanted.seasonal_naive)
    # The window alone says something else: there is a state to carry.
    assert np.abs(forecaster.predict(series, seed=1).mean - wanted.mean).max() > 1e-3


DRAWN = pytest.param("autoregressive", marks=pytest.mark.slow)


@pytest.mark.parametrize("architecture", ["direct", DRAWN])
def test_all_that_is_known_is_carried_too(architecture):
    series = some_series((LENGTH,), channels=2, covariates=True)
    options = dict(architecture=architecture, head="gaussian", **ALL)
    forecaster, whole = make(**options), make(context=LENGTH, **options)
    whole.model.set_weights(forecaster.model.get_weights())
    for one in (forecaster, whole):
        one.scaling.fit(series)
    wanted = whole.predict(series, seed=1).mean
    found = streamed(forecaster, series, (3, 4, 12, LENGTH - 3, LENGTH), seed=1).mean
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def carrier():
    forecaster = make(architecture="direct", frequency="h")
    forecaster.scaling.fit(some_series())
    return forecaster


def test_how_rows_are_cut_does_not_matter(carrier, monkeypatch):
    monkeypatch.setattr(streams, "_MOST", 8)  # several blocks in one call
    series = some_series()
    once = streamed(carrier, series, (LENGTH,)).mean
    often = streamed(carrier, series, range(1, LENGTH + 1)).mean
    np.testing.assert_allclose(once, often, rtol=1e-4, atol=1e-5)


def test_series_of_a_stream_may_be_of_unequal_length(carrier):
    series = some_series((LENGTH, 4, 11))
    together = streamed(carrier, series, (3, 9, LENGTH)).mean
    for i, length in enumerate(series.lengths):
        alone = streamed(carrier, series.select([i]), (min(3, length), length)).mean
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-4, atol=1e-5)


def test_a_stream_holds_a_state_and_a_season_alone(carrier):
    streamed(carrier, some_series(), (20,))
    assert carrier._stream.series.lengths == [3]
    carrier.restart()
    assert carrier._stream.series is None


def test_a_refused_update_leaves_the_stream_where_it_was(carrier):
    series = some_series()
    streamed(carrier, series, (10,))
    with pytest.raises(ValueError, match="goes on at 2024-01-01T10"):
        carrier.update(rows(series, 12, 14))
    with pytest.raises(ValueError, match="horizon"):
        carrier.update(rows(series, 10, 12), horizon=99)
    found = carrier.update(rows(series, 10, LENGTH)).mean
    np.testing.assert_allclose(
        found, streamed(carrier, series, (LENGTH,)).mean, rtol=1e-4, atol=1e-5
    )


def test_a_stream_begins_with_a_value(carrier):
    carrier.restart()
    with pytest.raises(ValueError, match="series '0' has had no value yet"):
        carrier.update(SeriesSet(["0"], [[np.nan, np.nan]], [START], "h"))
    carrier.restart()
    carrier.update(SeriesSet(["0"], [[1.0]], [START], "h"))
    more = [START + np.timedelta64(1, "h")]
    after = carrier.update(SeriesSet(["0"], [[np.nan] * 9], more, "h"))
    assert np.isfinite(after.mean).all()


def test_an_untrained_forecaster_has_no_stream():
    with pytest.raises(ValueError, match="call `fit`"):
        make(architecture="direct").update([1.0, 2.0])


@pytest.mark.parametrize(
    "options, reason",
    [
        (dict(architecture="segment"), "segments"),
        (dict(architecture="direct", normalization="instance"), "scales each window"),
        (dict(architecture="direct", season_copies=True), "season_copies"),
        (dict(architecture="direct", layer_options={"reverse": True}), "last step"),
    ],
)
def test_what_reads_a_window_as_a_whole_carries_rows(options, reason):
    forecaster = make(**options)
    assert reason in why_not_carried(forecaster.options)
    assert not forecaster.carries_state


@pytest.mark.parametrize("architecture", ["segment", "direct"])
def test_carried_rows_forecast_as_all_rows_at_once(architecture):
    series = some_series()
    forecaster = make(architecture=architecture, normalization="last", frequency="h")
    forecaster.scaling.fit(series)
    for stop in (1, 5, 14, LENGTH):
        found = streamed(forecaster, series, (1, stop) if stop > 1 else (1,)).mean
        wanted = forecaster.predict(series.slice(0, stop)).mean
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert forecaster._stream.series.lengths == [CONTEXT]
