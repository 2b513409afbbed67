"""Scores of forecasts from many places of the same series, beside seasonal naive."""

import numpy as np

from tasks.metrics import forecasts as metrics


def score_windows(values, origins, mean, quantiles, season):
    """Scores a forecast for each window; see `Forecaster.evaluate`.

    Args:
        values: List of arrays `(time, channels)`, one a series, NaN where missing.
        origins: List of arrays, the places each series was forecast from.
        mean: Array `(windows, horizon, channels)`, in the order of series and origins.
        quantiles: Dict from level to an array of that shape; may be empty.
        season: Steps of a season.

    Returns:
        Dict of floats.
    """
    horizon = mean.shape[1]
    parts = [
        (_ahead(v, o, horizon), _naive(v, o, horizon, season), _scales(v, o, season))
        for v, o in zip(values, origins, strict=True)
        if len(o)
    ]
    actual, naive, scales = (np.concatenate(part) for part in zip(*parts, strict=True))
    there = ~np.isnan(actual)
    scores = {
        "mse": metrics.mse(actual, mean),
        "mae": metrics.mae(actual, mean),
        "smape": metrics.smape(actual, mean),
        "mase": _scaled_error(actual, mean, scales),
        "naive_mse": metrics.mse(actual, naive, there & ~np.isnan(naive)),
        "naive_mae": metrics.mae(actual, naive, there & ~np.isnan(naive)),
        "naive_mase": _scaled_error(actual, naive, scales),
    }
    scores["skill"] = _skill(scores)
    if quantiles:
        scores["wql"] = metrics.weighted_quantile_loss(actual, quantiles)
    levels = sorted(quantiles)
    for low, high in zip(levels, levels[::-1], strict=True):
        if low < high and abs(low + high - 1) < 1e-9:
            name = f"coverage_{100 * (high - low):.0f}"
            ends = quantiles[low], quantiles[high]
            scores[name] = metrics.coverage(actual, *ends)
    return scores


def _skill(scores):
    for name in ("mase", "mae"):
        error, naive = scores[name], scores[f"naive_{name}"]
        if naive > 0 and np.isfinite(error):
            return 1 - error / naive
    # Seasonal naive is perfect here, or nothing counts.
    return 0.0 if not scores["mae"] > 0 else -1.0


def _ahead(values, origins, horizon):
    """What came after each origin: `(windows, horizon, channels)`, or NaN."""
    padded = np.pad(values, ((0, horizon), (0, 0)), constant_values=np.nan)
    return padded[origins[:, None] + np.arange(horizon)]


def _naive(values, origins, horizon, season):
    """The last season before each origin, repeated; NaN where nothing came before.

    A missing value is that of the season before it; where there is none either, the
    last value of all.
    """
    steps = np.arange(len(values))[:, None]
    known = np.where(np.isnan(values), -1, steps)
    latest = np.maximum.accumulate(known, 0)
    gap = -len(values) % season
    rows = np.pad(known, ((0, gap), (0, 0)), constant_values=-1)
    rows = rows.reshape(-1, season, values.shape[1])
    same = np.maximum.accumulate(rows, 0).reshape(-1, values.shape[1])
    places = origins[:, None] - season + np.arange(horizon) % season
    source = np.where((places >= 0)[..., None], same[np.maximum(places, 0)], -1)
    source = np.where(source < 0, latest[origins - 1][:, None], source)
    found = np.take_along_axis(
        values[None], np.maximum(source, 0).reshape(1, -1, values.shape[1]), 1
    ).reshape(source.shape)
    return np.where(source < 0, np.nan, found)


def _scales(values, origins, season):
    """Mean seasonal change before each origin: `(windows, channels)`, NaN for none."""
    change = np.full(values.shape, np.nan)
    change[season:] = np.abs(values[season:] - values[: len(values) - season])
    there = ~np.isnan(change)
    total = np.cumsum(np.where(there, change, 0.0), 0)[origins - 1]
    count = np.cumsum(there, 0)[origins - 1]
    scale = np.divide(total, count, out=np.zeros(total.shape), where=count > 0)
    return np.where(scale > 0, scale, np.nan)


def _scaled_error(actual, mean, scales):
    """MASE: mean of each window's and channel's error by its own scale."""
    error = np.abs(actual - mean)
    there = ~np.isnan(error)
    count = there.sum(1)
    sums = np.where(there, error, 0.0).sum(1)
    error = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
    error = error / scales
    error = error[~np.isnan(error)]
    return float(error.mean()) if error.size else float("nan")
