"""Forecasts to measure others against, by name: means and quantiles of every series.

The naive ones are those of `tasks.forecast.naive`. AutoETS and AutoARIMA are
statsforecast's, which is only needed where they are asked for; they fit each series on
its own and may take seconds for each.
"""

import numpy as np

from tasks.forecast import naive

NAIVE = ("seasonal_naive", "drift", "naive", "naive2")
_CLASSICAL = {"auto_ets": "AutoETS", "auto_arima": "AutoARIMA"}
BASELINES = (*NAIVE, *_CLASSICAL)


def baseline_forecast(name, history, horizon, season=1, levels=()):
    """Forecasts some series by a method that needs no training.

    Args:
        name: One of `BASELINES`.
        history: `tasks.data.series.SeriesSet`; its covariates are not used.
        horizon: Steps to forecast.
        season: Steps of a season.
        levels: Quantile levels, between 0 and 1.

    Returns:
        `(mean, quantiles)`: an array `(series, horizon, channels)` of float64, and a
        dict from level to an array of the same shape.

    Raises:
        ValueError: If the name is unknown, or the method cannot do with missing values
            and there are some.
        ImportError: If the method is statsforecast's and that is not installed.
    """
    check_baseline(name)
    if name in NAIVE:
        return naive.naive_quantiles(name, history.values, horizon, season, levels)
    model = getattr(_statsforecast(name), _CLASSICAL[name])(season_length=season)
    found = [
        _classical(model, name, series, values, horizon, levels)
        for series, values in zip(history.ids, history.values, strict=True)
    ]
    # (series, channels, 1 + levels, horizon), as each was fitted on its own.
    parts = np.moveaxis(np.array(found), (2, 3), (0, 2))
    return parts[0], dict(zip(levels, parts[1:], strict=True))


def check_baseline(name):
    """Raises what `baseline_forecast` would say of a name, without a forecast."""
    if name not in BASELINES:
        raise ValueError(f"Unknown baseline {name!r}. Baselines: {list(BASELINES)}.")
    if name in _CLASSICAL:
        _statsforecast(name)


def _statsforecast(name):
    try:
        from statsforecast import models
    except ImportError as error:
        raise ImportError(
            f"The baseline {name!r} needs statsforecast: pip install statsforecast "
            "(it keeps pandas below 3); or leave it out of `baselines`."
        ) from error
    return models


def _classical(model, name, series, values, horizon, levels):
    """Rows of mean and quantiles of each channel of one series."""
    missing = int(np.isnan(values).sum())
    if missing:
        raise ValueError(
            f"{name!r} takes no missing values, and series {series!r} has {missing}. "
            "Leave the baseline out, or the series."
        )
    # Intervals are asked for by their share in percent: 0.1 is the low end of 80 %.
    shares = {level: round(abs(100 - 200 * level), 6) for level in levels}
    asked = sorted({share for share in shares.values() if share}) or None
    channels = []
    for channel in values.T:
        # A copy: what it is given must not be part of a longer array.
        answer = model.forecast(y=channel.copy(), h=horizon, level=asked)
        rows = [answer["mean"]]
        for level, share in shares.items():
            end = "lo" if level < 0.5 else "hi"
            rows.append(answer[f"{end}-{share}"] if share else answer["mean"])
        channels.append(np.array([np.asarray(row, np.float64) for row in rows]))
    return channels
