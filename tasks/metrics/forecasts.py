"""Scores of forecasts, points and distributions, as their field defines them.

Every function takes `actual`, an array `(series, horizon)` or `(series, horizon,
channels)`, and returns one float. NaN in `actual` is a missing value and never counted;
`mask`, of the same shape, counts only where it is true. A forecast that is NaN or
infinite where a value counts is an error, as leaving it out would flatter it. Where
nothing counts the score is NaN.

`mse`, `mae`, `rmse`, `rse`, `weighted_quantile_loss`, the CRPS and `coverage` weigh
every counted value alike. `smape`, `mase` and `rmsse` are means over series (and
channels) of each one's own score, as in the M competitions.
"""

import numpy as np


def mse(actual, mean, mask=None):
    """Mean squared error."""
    actual, mean, counted = _checked(actual, mean, mask)
    return _mean((actual - mean) ** 2, counted)


def rmse(actual, mean, mask=None):
    """Root of the mean squared error."""
    return float(np.sqrt(mse(actual, mean, mask)))


def mae(actual, mean, mask=None):
    """Mean absolute error."""
    actual, mean, counted = _checked(actual, mean, mask)
    return _mean(np.abs(actual - mean), counted)


def smape(actual, mean, mask=None):
    """Symmetric mean absolute percentage error of the M4 competition, 0 to 200.

    `200 |y - f| / (|y| + |f|)`; where both are zero the error is 0. Other libraries
    give half of it, or a fraction of 1.
    """
    actual, mean, counted = _checked(actual, mean, mask)
    size = np.abs(actual) + np.abs(mean)
    return _mean_of_series(200 * _ratio(np.abs(actual - mean), size, 0.0), counted)


def mase(actual, mean, history, season=1, mask=None):
    """Mean absolute scaled error: 1 is a seasonal naive forecast's, in-sample.

    Args:
        actual: Array `(series, horizon)` or `(series, horizon, channels)`.
        mean: Array of the same shape.
        history: Sequence of arrays `(time,)` or `(time, channels)`, what came before,
            NaN where missing. The scale is the mean of `|y[t] - y[t - season]|` over
            all pairs of it that are there.
        season: Steps of a season.
        mask: Optional boolean array of the shape of `actual`.

    Returns:
        Float. A series whose scale is zero or unknown (constant, or not longer than a
        season) has no MASE and is left out.

    Reference:
        [Hyndman and Koehler, 2006](https://doi.org/10.1016/j.ijforecast.2006.03.001)
    """
    actual, mean, counted = _checked(actual, mean, mask)
    scale = _scale(history, season, np.abs, actual)
    return _mean_of_series(_ratio(np.abs(actual - mean), scale, np.nan), counted)


def rmsse(actual, mean, history, season=1, mask=None):
    """Root mean squared scaled error, the M5 competition's; arguments as of `mase`.

    Reference:
        [Makridakis et al., 2022](https://doi.org/10.1016/j.ijforecast.2021.11.013)
    """
    actual, mean, counted = _checked(actual, mean, mask)
    scale = _scale(history, season, np.square, actual)
    error = _ratio((actual - mean) ** 2, scale, np.nan)
    return float(_all_mean(np.sqrt(_series_means(error, counted))))


def owa(actual, mean, naive2, history, season=1, mask=None):
    """Overall weighted average of the M4 competition: below 1 beats Naive2.

    The mean of sMAPE and MASE, each relative to that of Naive2.

    Args:
        actual, mean, history, season, mask: As of `mase`.
        naive2: Array like `mean`, the forecasts of `tasks.forecast.naive.naive2`.

    Reference:
        [Makridakis et al., 2020](https://doi.org/10.1016/j.ijforecast.2019.04.014)
    """
    percentages = [smape(actual, x, mask) for x in (mean, naive2)]
    scaled = [mase(actual, x, history, season, mask) for x in (mean, naive2)]
    return float(np.mean([_ratio(*pair, np.nan) for pair in (percentages, scaled)]))


def rse(actual, mean, mask=None):
    """Root relative squared error: the error beside that of the overall mean.

    The mean is that over all series and channels, as in LSTNet, where channels of
    different levels make the score look small.

    Reference:
        [Lai et al., 2018](https://arxiv.org/abs/1703.07015)
    """
    actual, mean, counted = _checked(actual, mean, mask)
    spread = (actual - _mean(actual, counted)) ** 2
    error = (actual - mean) ** 2
    return float(np.sqrt(_ratio(error.sum(), spread[counted].sum(), np.nan)))


def quantile_loss(actual, quantiles, mask=None):
    """Mean pinball loss of each level: dict from level to float.

    Args:
        actual: Array `(series, horizon)` or `(series, horizon, channels)`.
        quantiles: Dict from level, between 0 and 1, to an array of the same shape.
        mask: Optional boolean array of the shape of `actual`.

    Raises:
        ValueError: If there is no level, or one is not between 0 and 1.
    """
    _check_levels(quantiles)
    losses = {}
    for level, values in quantiles.items():
        truth, values, counted = _checked(actual, values, mask)
        error = truth - values
        losses[level] = _mean(np.maximum(level * error, (level - 1) * error), counted)
    return losses


def weighted_quantile_loss(actual, quantiles, mask=None):
    """Quantile loss relative to the size of the data (wQL), mean over levels.

    Twice the pinball loss, summed over everything, by the sum of `|actual|`: with the
    median alone it is the normalised deviation, ND. Arguments as of `quantile_loss`.

    Reference:
        [Salinas et al., 2017](https://arxiv.org/abs/1704.04110)
    """
    losses = quantile_loss(actual, quantiles, mask)
    actual, _, counted = _checked(actual, actual, mask)
    size = _mean(np.abs(actual), counted)
    return float(_ratio(2 * np.mean(list(losses.values())), size, np.nan))


def crps_from_quantiles(actual, quantiles, mask=None):
    """Continuous ranked probability score from quantiles: twice their mean loss.

    The integral over all levels is a mean over those given, so they should lie
    evenly, such as 0.1, 0.2, ..., 0.9. Arguments as of `quantile_loss`.

    Reference:
        [Gneiting and Raftery, 2007](https://doi.org/10.1198/016214506000001437)
    """
    return float(2 * np.mean(list(quantile_loss(actual, quantiles, mask).values())))


def crps_from_samples(actual, samples, mask=None):
    """Continuous ranked probability score of the samples' own distribution.

    `E |X - y| - E |X - X'| / 2`, with both means over all the samples.

    Args:
        actual: Array `(series, horizon)` or `(series, horizon, channels)`.
        samples: Array with one axis more, in front: `(samples, series, horizon, ...)`.
        mask: Optional boolean array of the shape of `actual`.

    Reference:
        [Gneiting and Raftery, 2007](https://doi.org/10.1198/016214506000001437)
    """
    samples = np.sort(np.asarray(samples, np.float64), axis=0)
    if samples.ndim < 1 or not len(samples):
        raise ValueError(f"Expected some samples; got shape {samples.shape}.")
    # A NaN is sorted last, so this one sees it.
    actual, _, counted = _checked(actual, samples[-1], mask)
    _checked(actual, samples[0], counted)
    count = len(samples)
    # Of sorted samples, the i-th is the larger one in i pairs, the smaller in the rest.
    weights = (2 * np.arange(count) - count + 1) / count**2
    samples = np.where(counted, samples, 0.0)
    error = np.abs(samples - actual).mean(0)
    return _mean(error - np.tensordot(weights, samples, 1), counted)


def coverage(actual, lower, upper, mask=None):
    """Share of values inside of intervals, their ends included.

    Args:
        actual: Array `(series, horizon)` or `(series, horizon, channels)`.
        lower, upper: Arrays of the same shape.
        mask: Optional boolean array of the shape of `actual`.

    Returns:
        Float from 0 to 1, to be compared with the intervals' nominal level.
    """
    truth, lower, counted = _checked(actual, lower, mask)
    _, upper, _ = _checked(actual, upper, mask)
    return _mean(((lower <= truth) & (truth <= upper)).astype(float), counted)


def _checked(actual, forecast, mask):
    """Both as float64 of one shape, zero where nothing counts, and where it does."""
    actual = np.asarray(actual, np.float64)
    forecast = np.asarray(forecast, np.float64)
    if actual.ndim < 2 or forecast.shape != actual.shape:
        raise ValueError(
            "Expected actual values and forecasts of one shape, (series, horizon) or "
            f"(series, horizon, channels); got {actual.shape} and {forecast.shape}."
        )
    counted = ~np.isnan(actual)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != actual.shape or mask.dtype != bool:
            raise ValueError(
                f"Expected a boolean mask of shape {actual.shape}; got {mask.dtype} "
                f"of shape {mask.shape}."
            )
        counted &= mask
    for name, values in (("Actual value", actual), ("Forecast", forecast)):
        broken = counted & ~np.isfinite(values)
        if broken.any():
            place = tuple(int(i) for i in np.argwhere(broken)[0])
            raise ValueError(
                f"{name} {values[place]} at {place} cannot be scored "
                f"({int(broken.sum())} such): expected finite numbers."
            )
    return np.where(counted, actual, 0.0), np.where(counted, forecast, 0.0), counted


def _check_levels(quantiles):
    if not quantiles or not all(0 < level < 1 for level in quantiles):
        raise ValueError(
            f"Expected quantile levels between 0 and 1; got {list(quantiles)}."
        )


def _scale(history, season, size, actual):
    """Mean size of seasonal differences, an array that broadcasts to `actual`."""
    if len(history) != len(actual):
        raise ValueError(f"Got {len(history)} histories for {len(actual)} series.")
    if season < 1:
        raise ValueError(f"`season` must be at least 1; got {season}.")
    scales = []
    for values in history:
        values = np.asarray(values, np.float64)
        change = size(values[season:] - values[:-season])
        there = ~np.isnan(change)
        total = np.where(there, change, 0.0).sum(0)
        scales.append(_ratio(total, there.sum(0), np.nan))
    scales = np.array(scales)
    if scales.shape != (len(actual), *actual.shape[2:]):
        raise ValueError(
            f"Actual values have shape {actual.shape}, each history must be "
            f"{'(time, channels)' if actual.ndim > 2 else '(time,)'} of as many."
        )
    return np.expand_dims(scales, 1)


def _ratio(part, whole, otherwise):
    part, whole = np.broadcast_arrays(part, whole)
    otherwise = np.full(part.shape, otherwise)
    return np.divide(part, whole, out=otherwise, where=whole != 0)


def _mean(values, counted):
    return float(_all_mean(values[counted]))


def _all_mean(values):
    values = values[~np.isnan(values)]
    return values.mean() if values.size else np.nan


def _series_means(values, counted):
    """Mean over the horizon of each series and channel, NaN where nothing counts."""
    return _ratio((values * counted).sum(1), counted.sum(1), np.nan)


def _mean_of_series(values, counted):
    return float(_all_mean(_series_means(values, counted)))
