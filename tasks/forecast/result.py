"""What a forecaster answers: means, quantiles and paths that print, plot and export."""

from dataclasses import dataclass, field

import numpy as np

from tasks.data.series import SeriesSet
from tasks.forecast.naive import seasonal_naive
from tasks.forecast.plot import plot_forecast, position

_SHOWN = 8  # steps of one series, or series, in print


@dataclass(frozen=True)
class Forecast:
    """Forecasts of some series, with the history they go on from.

    A forecast is a sequence: `forecast[i]`, or iterating over it, gives the forecast of
    one series.

    Args:
        history: `tasks.data.series.SeriesSet` of the same series.
        mean: Array `(series, horizon, channels)` of float64.
        quantiles: Dict from level to an array of the same shape, by increasing level;
            empty for a forecaster of points.
        samples: Array `(samples, series, horizon, channels)`, or `None`.
        season: Steps of a season, for the seasonal naive forecast beside.

    Raises:
        ValueError: If shapes do not fit each other.
    """

    history: SeriesSet = field(repr=False)
    mean: np.ndarray = field(repr=False)
    quantiles: dict = field(default_factory=dict, repr=False)
    samples: np.ndarray | None = field(default=None, repr=False)
    season: int = 1

    def __post_init__(self):
        mean = np.asarray(self.mean, np.float64)
        wanted = (len(self.history), None, self.history.channels)
        if mean.ndim != 3 or (mean.shape[0], None, mean.shape[2]) != wanted:
            raise ValueError(
                f"`mean` must have the shape (series, horizon, channels) = {wanted}. "
                f"Received: {mean.shape}"
            )
        for level, values in self.quantiles.items():
            if np.shape(values) != mean.shape:
                raise ValueError(
                    f"Quantile {level} must have the shape {mean.shape} of `mean`. "
                    f"Received: {np.shape(values)}"
                )
        if self.samples is not None and np.shape(self.samples)[1:] != mean.shape:
            raise ValueError(
                f"`samples` must have the shape (samples, *{mean.shape}). "
                f"Received: {np.shape(self.samples)}"
            )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "quantiles", dict(sorted(self.quantiles.items())))

    @property
    def ids(self):
        """List of the names of the series."""
        return self.history.ids

    @property
    def horizon(self):
        """Number of steps."""
        return self.mean.shape[1]

    @property
    def median(self):
        """The quantile of level 0.5, or the mean where there is none."""
        return self.quantiles.get(0.5, self.mean)

    def times(self, series):
        """The times of the steps of a series: `datetime64[s]`, or integers."""
        first = self.history.lengths[series]
        return self.history.times(series, first, first + self.horizon)

    def interval(self, level=0.8):
        """Lower and upper ends of the central intervals of a level.

        Args:
            level: Number between 0 and 1, such as 0.8 for the quantiles 0.1 and 0.9.

        Returns:
            Two arrays `(series, horizon, channels)`.

        Raises:
            ValueError: If the forecast has not these quantiles.
        """
        if not 0 < level < 1:
            raise ValueError(
                f"`level` must be between 0 and 1, such as 0.8. Received: {level!r}"
            )
        ends = (1 - level) / 2, (1 + level) / 2
        found = [
            next((q for q in self.quantiles if abs(q - e) < 1e-9), None) for e in ends
        ]
        if None in found:
            raise ValueError(
                f"An interval of level {level} needs the quantiles {ends[0]:.4g} and "
                f"{ends[1]:.4g}. This forecast has: {list(self.quantiles)}"
            )
        return tuple(self.quantiles[q] for q in found)

    @property
    def seasonal_naive(self):
        """The last season repeated, an array of the shape of `mean`."""
        if not len(self):
            return np.zeros(self.mean.shape)
        return seasonal_naive(self.history.values, self.horizon, self.season)

    def __len__(self):
        return len(self.mean)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        if isinstance(index, slice):
            rows = list(range(len(self)))[index]
        else:
            rows = [range(len(self))[index]]
        return Forecast(
            self.history.select(rows),
            self.mean[rows],
            {level: values[rows] for level, values in self.quantiles.items()},
            None if self.samples is None else self.samples[:, rows],
            self.season,
        )

    def to_dict(self):
        """Plain lists and numbers, ready for JSON: a dict from names to values.

        Of one series, `"mean"` is a list of steps, each a list of channels; `"times"`
        are texts or integers. Of several series, `{"series": [...]}` with one such dict
        for each, which has its `"id"` too.
        """
        if len(self) != 1:
            return {"series": [{"id": x.ids[0], **x.to_dict()} for x in self]}
        result = {"times": _plain(self.times(0)), "mean": self.mean[0].tolist()}
        if self.quantiles:
            result["quantiles"] = {
                f"{level:g}": values[0].tolist()
                for level, values in self.quantiles.items()
            }
        return result

    def to_columns(self):
        """A row for each step of each series: dict from name to array.

        Columns are `unique_id`, `ds`, and for each channel its mean and its quantiles:
        `y` and `y-q0.1`, say, with the names of the channels.
        """
        rows = len(self) * self.horizon
        times = [self.times(i) for i in range(len(self))]
        columns = {
            "unique_id": np.repeat(np.array(self.ids, dtype=object), self.horizon),
            "ds": np.concatenate(times) if times else np.zeros(0, "int64"),
        }
        for c, name in enumerate(self._names()):
            columns[name] = self.mean[..., c].reshape(rows)
            for level, values in self.quantiles.items():
                columns[f"{name}-q{level:g}"] = values[..., c].reshape(rows)
        return columns

    def _names(self):
        names = self.history.names
        return ["y"] if names == ["0"] else names

    def to_frame(self, backend="pandas"):
        """A long data frame with the columns of `to_columns`.

        Args:
            backend: `"pandas"`, `"polars"` or another that narwhals can make.

        Raises:
            ImportError: If narwhals or the backend is not installed.
        """
        from zoo.lazy import Lazy

        narwhals = Lazy("narwhals", "pip install narwhals")
        columns = self.to_columns()
        columns["unique_id"] = columns["unique_id"].tolist()
        if columns["ds"].dtype.kind == "M":
            columns["ds"] = columns["ds"].astype("datetime64[ms]")  # all take these
        return narwhals.from_dict(columns, backend=backend).to_native()

    def __str__(self):
        if not len(self):
            return "(no series)"
        lines = [_head(self)]
        if len(self) == 1:
            lines += _rows_of_steps(self)
        else:
            lines += _rows_of_series(self)
        return "\n".join(lines)

    def __repr__(self):
        return f"<Forecast: {_head(self)}>"

    def plot(self, series=0, channel=0, history=None):
        """Plots a series and its forecast, with intervals and seasonal naive beside.

        Args:
            series: Number or id of the series.
            channel: Number or name of the channel.
            history: Steps of the history to show; four horizons by default.

        Returns:
            A `matplotlib.figure.Figure`: show it in a notebook, or `savefig` it.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If there is no such series or channel.
        """
        series = position(series, self.ids, "series")
        channel = position(channel, self._names(), "channel")
        shown = 4 * self.horizon if history is None else history
        return plot_forecast(self[series], channel, shown, self._names()[channel])


def _plain(times):
    return times.astype(str).tolist() if times.dtype.kind == "M" else times.tolist()


def _head(forecast):
    count, channels = len(forecast), forecast.history.channels
    every = forecast.history.frequency
    parts = [
        f"{count} series" if count != 1 else f"Series {forecast.ids[0]}",
        *([f"{channels} channels"] if channels > 1 else []),
        f"{forecast.horizon} steps" + (f" of {every}" if every else ""),
    ]
    return ", ".join(parts)


def _ends(forecast):
    """Outermost quantiles that lie alike on both sides, or none."""
    levels = list(forecast.quantiles)
    if len(levels) > 1 and abs(levels[0] + levels[-1] - 1) < 1e-9:
        return levels[0], levels[-1]
    return None


def _cell(forecast, place):
    text = f"{forecast.mean[place]:.6g}"
    ends = _ends(forecast)
    if ends:
        low, high = (forecast.quantiles[e][place] for e in ends)
        text += f" [{low:.6g}, {high:.6g}]"
    return text


def _table(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _note(forecast):
    ends = _ends(forecast)
    if not ends:
        return []
    return [f"In brackets: the interval of {100 * (ends[1] - ends[0]):.4g} %."]


def _rows_of_steps(forecast):
    names = forecast._names()
    rows = [["", *names]] if len(names) > 1 else []
    for step, time in enumerate(_plain(forecast.times(0))[:_SHOWN]):
        cells = [_cell(forecast, (0, step, c)) for c in range(len(names))]
        rows.append([str(time), *cells])
    more = forecast.horizon - _SHOWN
    lines = _table(rows) + ([f"... {more} more steps"] if more > 0 else [])
    return lines + _note(forecast)


def _rows_of_series(forecast):
    rows = [["", "first step", "last step"]]
    for i in range(min(len(forecast), _SHOWN)):
        cells = [_cell(forecast, (i, step, 0)) for step in (0, -1)]
        rows.append([forecast.ids[i], *cells])
    more = len(forecast) - _SHOWN
    lines = _table(rows) + ([f"... {more} more series"] if more > 0 else [])
    return lines + _note(forecast)
