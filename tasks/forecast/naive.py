"""Forecasts without a model, the bar that every model has to pass; NumPy alone.

Each function takes `history`, a sequence of arrays `(time,)` or `(time, channels)` of
any lengths, one for each series, and `horizon`, the steps to forecast. It returns an
array of float64 `(series, horizon)`, or `(series, horizon, channels)`. NaN is a missing
value: what is forecast comes from the values that are there.

Example:

>>> seasonal_naive([[1.0, 2.0, 3.0, 4.0]], horizon=3, season=2)
array([[3., 4., 3.]])
"""

import statistics

import numpy as np

# Of the autocorrelation test in the M4 competition's own Naive2: 90 %, two-sided.
_CRITICAL = 1.645


def naive(history, horizon):
    """Repeats the last value that is there."""
    return _means("naive", history, horizon, 1)


def seasonal_naive(history, horizon, season):
    """Repeats the last season.

    Args:
        history: Sequence of arrays `(time,)` or `(time, channels)`.
        horizon: Steps to forecast.
        season: Steps of a season, such as 24 for hours of a day.

    Returns:
        Array `(series, horizon)` or `(series, horizon, channels)`. A place in the
        season that was never seen gets the last value there is.
    """
    return _means("seasonal_naive", history, horizon, season)


def drift(history, horizon):
    """Goes on along the line through the first and the last value that are there."""
    return _means("drift", history, horizon, 1)


def naive2(history, horizon, season):
    """The M4 competition's yardstick: the naive forecast of what has no season.

    A series whose autocorrelation at one season is significant (at 90 %) is divided by
    its seasonal indices, those of a classical multiplicative decomposition, and the
    repeated last value is multiplied by them. Any other series, one shorter than three
    seasons, and one with a value of zero or below, gets the naive forecast.

    Args:
        history: Sequence of arrays `(time,)` or `(time, channels)`.
        horizon: Steps to forecast.
        season: Steps of a season.

    Reference:
        [Makridakis et al., 2020](https://doi.org/10.1016/j.ijforecast.2019.04.014)
    """
    return _means("naive2", history, horizon, season)


def naive_quantiles(method, history, horizon, season=1, levels=(0.1, 0.5, 0.9)):
    """Means and quantiles of one of the methods, by their usual normal intervals.

    The spread is that of the method's errors one step (or season) ahead within the
    history, and grows with the horizon as the method implies.

    Args:
        method: `"naive"`, `"seasonal_naive"`, `"drift"` or `"naive2"`.
        history: Sequence of arrays `(time,)` or `(time, channels)`.
        horizon: Steps to forecast.
        season: Steps of a season.
        levels: Quantile levels, between 0 and 1.

    Returns:
        `(mean, quantiles)`: an array as the methods return it, and a dict from level
        to an array of the same shape.

    Raises:
        ValueError: If the method is unknown, a level is not between 0 and 1, or a
            series has no values.

    Reference:
        [Hyndman and Athanasopoulos, 2021](https://otexts.com/fpp3/prediction-intervals.html)
    """
    if not all(0 < level < 1 for level in levels):
        raise ValueError(f"Expected levels between 0 and 1; got {list(levels)}.")
    mean, spread = _forecasts(method, history, horizon, season)
    normal = statistics.NormalDist()
    return mean, {level: mean + normal.inv_cdf(level) * spread for level in levels}


def seasonal_indices(values, season):
    """Multiplicative indices of one series, mean 1, by classical decomposition.

    Args:
        values: Array `(time,)` of positive values, NaN where missing; two seasons at
            least.
        season: Steps of a season.

    Returns:
        Array `(season,)`; the first is that of `values[0]`.
    """
    weights = np.ones(season) / season
    if season % 2 == 0:
        weights = np.convolve(weights, [0.5, 0.5])
    trend = np.convolve(values, weights, "valid")
    first = (len(values) - len(trend)) // 2
    ratio = np.full(-(-len(values) // season) * season, np.nan)
    ratio[first : first + len(trend)] = values[first : first + len(trend)] / trend
    ratio = ratio.reshape(-1, season)
    there = ~np.isnan(ratio)
    total = np.where(there, ratio, 0.0).sum(0)
    # A phase that is always missing is like any other.
    indices = np.divide(total, there.sum(0), out=np.ones(season), where=there.any(0))
    return indices / indices.mean()


def is_seasonal(values, season):
    """Whether the autocorrelation at one season is significant, M4's test at 90 %.

    Args:
        values: Array `(time,)`, NaN where missing.
        season: Steps of a season.

    Returns:
        Bool; false for a series shorter than three seasons, or a constant one.
    """
    if season < 2 or len(values) < 3 * season:
        return False
    there = ~np.isnan(values)
    centred = np.where(there, values - values[there].mean(), 0.0)
    power = centred @ centred
    if power == 0:
        return False
    lags = [centred[lag:] @ centred[:-lag] / power for lag in range(1, season + 1)]
    limit = _CRITICAL * np.sqrt((1 + 2 * np.square(lags[:-1]).sum()) / there.sum())
    return bool(abs(lags[-1]) > limit)


def _means(method, history, horizon, season):
    return _forecasts(method, history, horizon, season)[0]


def _forecasts(method, history, horizon, season):
    """Mean and standard deviation of each step, each `(series, horizon, ...)`."""
    if method not in _METHODS:
        raise ValueError(f"Unknown method {method!r}. Methods: {', '.join(_METHODS)}.")
    if season < 1 or horizon < 1:
        raise ValueError(
            "`season` and `horizon` must be at least 1; got "
            f"season={season}, horizon={horizon}."
        )
    found = []
    for number, series in enumerate(history):
        series = np.asarray(series, np.float64)
        channels = [series] if series.ndim == 1 else list(series.T)
        if any(np.isnan(channel).all() for channel in channels):
            raise ValueError(f"Series {number} has no values to forecast from.")
        rows = [_METHODS[method](channel, horizon, season) for channel in channels]
        shape = (2, horizon, len(channels))[: 1 + series.ndim]
        found.append(np.stack(rows, -1).reshape(shape))
    return np.stack(found, 1)


def _naive(values, horizon, season):
    steps = np.sqrt(np.arange(1, horizon + 1))
    return np.full(horizon, _last(values)), _typical(_changes(values, 1)) * steps


def _seasonal_naive(values, horizon, season):
    missing = np.full(-len(values) % season, np.nan)
    rows = np.concatenate([missing, values]).reshape(-1, season)
    there = ~np.isnan(rows)
    latest = len(rows) - 1 - there[::-1].argmax(0)
    row = np.where(there.any(0), rows[latest, np.arange(season)], _last(values))
    steps = np.arange(horizon)
    changes = _changes(values, season)
    # Too short for a season: the error from one step to the next stands in.
    changes = changes if changes.size else _changes(values, 1)
    return row[steps % season], _typical(changes) * np.sqrt(steps // season + 1)


def _drift(values, horizon, season):
    places = np.flatnonzero(~np.isnan(values))
    span = places[-1] - places[0]
    slope = (values[places[-1]] - values[places[0]]) / max(span, 1)
    steps = np.arange(1, horizon + 1)
    errors = _changes(values, 1) - slope
    spread = _typical(errors, used=1) * np.sqrt(steps * (1 + steps / max(span, 1)))
    # The last value may lie some steps back.
    ahead = steps + len(values) - 1 - places[-1]
    return values[places[-1]] + slope * ahead, spread


def _naive2(values, horizon, season):
    positive = np.nanmin(values) > 0
    if not (positive and is_seasonal(values, season)):
        return _naive(values, horizon, season)
    indices = seasonal_indices(values, season)
    level = values / np.resize(indices, len(values))
    ahead = indices[(len(values) + np.arange(horizon)) % season]
    mean, spread = _naive(level, horizon, season)
    return mean * ahead, spread * ahead


def _last(values):
    return values[~np.isnan(values)][-1]


def _changes(values, lag):
    changes = values[lag:] - values[:-lag]
    return changes[~np.isnan(changes)]


def _typical(errors, used=0):
    """Root mean square of errors of which `used` degrees of freedom are spent."""
    return np.sqrt(np.square(errors).sum() / max(len(errors) - used, 1))


_METHODS = {
    "naive": _naive,
    "seasonal_naive": _seasonal_naive,
    "drift": _drift,
    "naive2": _naive2,
}
