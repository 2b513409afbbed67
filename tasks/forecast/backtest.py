"""Backtests: what a forecaster would have said in the past, beside simple methods."""

import time

import numpy as np

from tasks.data.frequency import Frequency
from tasks.data.series import SeriesSet
from tasks.forecast.backtest_result import Backtest, Forecasts
from tasks.forecast.baselines import baseline_forecast, check_baseline

DECILES = tuple(round(0.1 * i, 1) for i in range(1, 10))


def backtest(
    forecaster,
    data,
    *,
    windows=3,
    step=None,
    horizon=None,
    refit=False,
    baselines=("seasonal_naive", "drift"),
    season=None,
    fit=None,
):
    """Forecasts the last part of each series from several origins, and scores that.

    The last origin lies `horizon` steps before the end of each series, every other one
    `step` steps before the next. What comes after an origin is never handed over: the
    forecaster gets copies that end there (covariates that are known ahead go on for the
    horizon). Unless `refit="never"`, it is trained here, from new weights and without
    anything after the origin; the forecaster that was given stays as it is.

    Args:
        forecaster: `tasks.forecasting.Forecaster`, or anything with its `options`,
            `fit` and `predict`; or a dict from name to one, to compare several.
        data: Whatever `SeriesSet.from_any` reads.
        windows: Number of origins.
        step: Steps from one origin to the next, `horizon` by default.
        horizon: Steps to forecast, those of the forecaster by default.
        refit: `False` trains once, on what comes before the first origin; `True` anew
            before each, a number `n` before each n-th. `"never"` takes the forecaster
            as it is: only for one that has not seen these data.
        baselines: Names of `tasks.forecast.baselines.BASELINES` to put beside, or one.
        season: Steps of a season, for baselines and MASE; by default that of the
            forecaster, or else of the data's frequency.
        fit: Dict of arguments of the forecaster's `fit`, such as
            `{"epochs": 20}`.

    Returns:
        `tasks.forecast.backtest_result.Backtest`: `print` it, or take its `table()`,
        `to_frame()` and `plot()`.

    Raises:
        ValueError: If a series is too short for so many windows, a forecast has not the
            right shape or is no number, or an argument makes no sense.
        ImportError: If a baseline needs a package that is not installed.

    Example: `print(backtest(forecaster, frame, windows=4, fit={"epochs": 5}))`
    """
    forecasters = forecaster if isinstance(forecaster, dict) else {}
    forecasters = forecasters or {"forecaster": forecaster}
    first = next(iter(forecasters.values()))
    series = _read(first, data)
    horizon = first.options["horizon"] if horizon is None else horizon
    step = horizon if step is None else step
    season = _season(first, series) if season is None else season
    _check(horizon=horizon, windows=windows, step=step, season=season)
    baselines = [baselines] if isinstance(baselines, str) else baselines
    for name in baselines:
        check_baseline(name)
        if name in forecasters:
            raise ValueError(f"A forecaster may not be called {name!r}, as a baseline.")
    stops = [-horizon - step * (windows - 1 - k) for k in range(windows)]
    _check_lengths(series, stops)
    found = {
        name: _forecasts(one, series, stops, horizon, _schedule(refit, windows), fit)
        for name, one in forecasters.items()
    }
    levels = next((f.levels for f in found.values() if f.levels), DECILES)
    for name in baselines:
        found[name] = _baseline(name, series, stops, horizon, season, levels)
    return Backtest(series, tuple(stops), horizon, season, found)


def _read(forecaster, data):
    # A forecaster knows the names of its columns.
    read = getattr(forecaster, "read", SeriesSet.from_any)
    return read(data)


def _season(forecaster, series):
    season = forecaster.options.get("season", 1)
    if season == 1 and series.frequency is not None:
        season = Frequency.parse(series.frequency).season
    return season


def _check(**numbers):
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer; got {value!r}.")


def _check_lengths(series, stops):
    if not len(series):
        raise ValueError("The data are empty: there is no series to backtest on.")
    needed = 2 - stops[0]
    for name, length in zip(series.ids, series.lengths, strict=True):
        if length < needed:
            raise ValueError(
                f"Series {name!r} has {length} steps; these windows need {needed} or "
                "more. Ask for fewer windows, a smaller step or horizon, or leave it "
                "out."
            )


def _schedule(refit, windows):
    """Numbers of the windows before which to train."""
    if refit == "never":
        return set()
    if isinstance(refit, bool):
        return set(range(windows)) if refit else {0}
    if not isinstance(refit, int) or refit < 1:
        raise ValueError(
            '`refit` must be True, False, a positive integer or "never"; got '
            f"{refit!r}."
        )
    return set(range(0, windows, refit))


def _forecasts(forecaster, series, stops, horizon, schedule, fit):
    means, quantiles, seconds = [], [], 0.0
    for number, stop in enumerate(stops):
        start = time.perf_counter()
        if number in schedule:
            forecaster = type(forecaster)(**forecaster.options)
            forecaster.fit(known_at(series, stop, 0), **(fit or {}))
        forecast = forecaster.predict(known_at(series, stop, horizon), horizon=horizon)
        seconds += time.perf_counter() - start
        mean = np.array(forecast.mean, np.float64)
        wanted = (len(series), horizon, series.channels)
        if mean.shape != wanted:
            raise ValueError(
                f"The forecaster's mean must have the shape {wanted}; got {mean.shape}."
            )
        means.append(mean)
        quantiles.append({q: np.array(v) for q, v in forecast.quantiles.items()})
    return _stacked(means, quantiles, seconds)


def _baseline(name, series, stops, horizon, season, levels):
    start = time.perf_counter()
    found = [
        baseline_forecast(name, known_at(series, stop, 0), horizon, season, levels)
        for stop in stops
    ]
    means, quantiles = zip(*found, strict=True)
    return _stacked(means, quantiles, time.perf_counter() - start)


def _stacked(means, quantiles, seconds):
    levels = sorted(set.intersection(*(set(q) for q in quantiles)))
    stacked = {level: np.stack([q[level] for q in quantiles]) for level in levels}
    return Forecasts(np.stack(means), stacked, seconds)


def known_at(series, stop, horizon):
    """What is known at an origin, as a `SeriesSet` that shares no memory.

    Args:
        series: `SeriesSet`.
        stop: Position of the origin, from each series' end if negative.
        horizon: Steps for which covariates that are known ahead go on.
    """
    past = series.slice(None, stop)
    future = past.future
    if future is not None:
        future = [
            array[: length + horizon].copy()
            for array, length in zip(future, past.lengths, strict=True)
        ]
    # A view of an array leads to all of it.
    return SeriesSet(
        list(past.ids),
        [values.copy() for values in past.values],
        list(past.starts),
        past.frequency,
        None if past.static is None else past.static.copy(),
        None if past.past is None else [array.copy() for array in past.past],
        future,
        list(past.names),
    )
