"""Charts of forecasts and of anomalies."""

import numpy as np

_BLUE, _ORANGE, _GREY, _RED = "#2166ac", "#e08214", "#666666", "#c51b1b"


def plot_forecast(forecast, channel, shown, name):
    """Chart of one series: see `tasks.forecast.result.Forecast.plot`."""
    figure, axes = new_figure()
    history = forecast.history
    values = history.values[0][:, channel]
    first = max(0, len(values) - shown)
    axes.plot(history.times(0, first), values[first:], color=_GREY, label="history")
    times = forecast.times(0)
    levels = list(forecast.quantiles)
    pairs = [(q, p) for q, p in zip(levels, levels[::-1], strict=True) if q < p]
    for low, high in pairs:
        if abs(low + high - 1) > 1e-9:
            continue
        ends = (forecast.quantiles[q][0, :, channel] for q in (low, high))
        label = f"interval of {100 * (high - low):.4g} %"
        axes.fill_between(
            times,
            *ends,
            color=_BLUE,
            alpha=0.15,
            linewidth=0,
            label=label if low == pairs[0][0] else None,
        )
    naive = forecast.seasonal_naive[0, :, channel]
    axes.plot(times, naive, color=_ORANGE, linestyle="--", label="seasonal naive")
    axes.plot(times, forecast.median[0, :, channel], color=_BLUE, label="forecast")
    axes.set_title(f"{forecast.ids[0]}, {name}", parse_math=False)
    short_dates(axes, times)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def plot_anomalies(times, values, scores, limit, name):
    """Chart of a series with its anomalies, and of their scores below.

    Args:
        times, values, scores: Arrays `(time,)`; scores are NaN where there is none.
        limit: Score from which a step is marked.
        name: What the series is called.
    """
    figure, (above, below) = new_figure(2)
    above.plot(times, values, color=_GREY)
    with np.errstate(invalid="ignore"):
        marked = scores >= limit
    above.plot(times[marked], values[marked], "o", color=_RED, markersize=4)
    above.set_title(name, parse_math=False)
    below.plot(times, scores, color=_BLUE)
    below.axhline(limit, color=_RED, linestyle="--", linewidth=1)
    below.set_ylabel("score")
    short_dates(below, times)
    return figure


def short_dates(axes, times):
    """Writes dates below axes without what they share: whole ones would overlap.

    Args:
        axes: What `times` were plotted on.
        times: Array of dates, or of numbers, which stay as they are.
    """
    if np.asarray(times).dtype.kind == "M":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        places = AutoDateLocator()
        axes.xaxis.set_major_locator(places)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(places))


def position(item, names, what):
    """The position of a series or a channel that is given by number or by name.

    Raises:
        ValueError: If there is none.
    """
    if isinstance(item, str):
        if item not in names:
            raise ValueError(f"There is no {what} {item!r}. There are: {names}")
        return names.index(item)
    if not -len(names) <= item < len(names):
        raise ValueError(f"There is no {what} {item}; there are {len(names)}.")
    return range(len(names))[item]


def new_figure(rows=1):
    """A figure and its axes, one above the other, outside of pyplot's state.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("A plot needs matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(9, 2.2 + 1.8 * rows), layout="constrained")
    axes = figure.subplots(rows, sharex=True)
    parts = axes if rows > 1 else [axes]
    for part in parts:
        part.spines[["top", "right"]].set_visible(False)
        part.margins(x=0.01)
    return figure, axes
