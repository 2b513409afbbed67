"""What a backtest found: forecasts of each model from each origin, and their scores."""

from dataclasses import dataclass, field

import numpy as np

from tasks.data.series import SeriesSet
from tasks.forecast.plot import new_figure
from tasks.metrics import forecasts as metrics
from zoo.lazy import Lazy


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of one model from all origins.

    Args:
        mean: Array `(windows, series, horizon, channels)`.
        quantiles: Dict from level to an array of the same shape; empty for points.
        seconds: Time they took, with training.
    """

    mean: np.ndarray = field(repr=False)
    quantiles: dict = field(default_factory=dict, repr=False)
    seconds: float = 0.0

    @property
    def levels(self):
        """Tuple of the quantile levels, increasing."""
        return tuple(sorted(self.quantiles))

    def interval(self):
        """Outermost levels that lie alike on both sides of 0.5; `None` without."""
        levels = self.levels
        if len(levels) > 1 and abs(levels[0] + levels[-1] - 1) < 1e-9:
            return levels[0], levels[-1]
        return None


@dataclass(frozen=True)
class Backtest:
    """The forecasts of some models from some origins, beside what came.

    Args:
        series: `tasks.data.series.SeriesSet`, all of it.
        stops: Tuple of the origins' positions, negative: from each series' end.
        horizon: Steps of each forecast.
        season: Steps of a season, for MASE.
        forecasts: Dict from the model's name to its `Forecasts`.
    """

    series: SeriesSet = field(repr=False)
    stops: tuple
    horizon: int
    season: int
    forecasts: dict = field(repr=False)

    @property
    def actual(self):
        """What came: array `(windows, series, horizon, channels)`, NaN if missing."""
        return np.array(
            [
                [values[stop : stop + self.horizon or None] for values in self._values]
                for stop in self.stops
            ]
        )

    @property
    def _values(self):
        return self.series.values

    def origins(self, series):
        """Times of the first steps of the forecasts of one series."""
        times = self.series.times(series)
        return times[list(self.stops)]

    def scores(self, model, window=None, step=None):
        """Scores of one model.

        Args:
            model: Its name.
            window: Number of one origin; all by default.
            step: Number of one step of the horizon, from 0; all by default.

        Returns:
            Dict of floats: `"mase"`, `"smape"` (0 to 200), `"rmse"` and `"mae"`; and
            for a model with quantiles `"wql"`, the weighted quantile loss, and
            `"coverage"` of the interval between the outermost ones. See
            `tasks.metrics.forecasts`.

        Raises:
            ValueError: If there is no such model.
        """
        if model not in self.forecasts:
            raise ValueError(f"No model {model!r}. Models: {list(self.forecasts)}.")
        found = self.forecasts[model]
        chosen = slice(None) if window is None else slice(window, window + 1)
        steps = slice(None) if step is None else slice(step, step + 1)

        def flat(array):
            # Each origin of a series is as good as a series.
            array = array[chosen][:, :, steps]
            return array.reshape(-1, *array.shape[2:])

        actual, mean = flat(self.actual), flat(found.mean)
        history = [v[:stop] for stop in self.stops[chosen] for v in self._values]
        scores = {
            "mase": metrics.mase(actual, mean, history, self.season),
            "smape": metrics.smape(actual, mean),
            "rmse": metrics.rmse(actual, mean),
            "mae": metrics.mae(actual, mean),
        }
        if found.quantiles:
            quantiles = {level: flat(x) for level, x in found.quantiles.items()}
            scores["wql"] = metrics.weighted_quantile_loss(actual, quantiles)
            ends = found.interval()
            if ends is not None:
                low, high = (quantiles[level] for level in ends)
                scores["coverage"] = metrics.coverage(actual, low, high)
        return scores

    def table(self):
        """Scores of every model: dict from name to a dict as of `scores`.

        `"seconds"` are those the model took for all its forecasts, with training.
        """
        return {
            name: {**self.scores(name), "seconds": found.seconds}
            for name, found in self.forecasts.items()
        }

    def to_columns(self):
        """A row for each model, origin, series, step and channel: dict of arrays.

        Columns: `model`, `unique_id`, `channel`, `origin` (time of the first step of
        the forecast), `ds`, `step` (from 1), `y`, `mean`, and one for each quantile,
        such as `q0.1`, NaN where a model has none.
        """
        shape = self.actual.shape
        windows, count, horizon, channels = shape
        origin, ds = np.empty(shape, object), np.empty(shape, object)
        for number in range(count):
            times = self.series.times(number)
            for window, stop in enumerate(self.stops):
                ahead = times[stop : stop + horizon or None]
                origin[window, number] = ahead[0]
                ds[window, number] = ahead[:, None]
        names = np.array(self.series.ids, object)[None, :, None, None]
        step = np.arange(1, horizon + 1)[None, None, :, None]
        channel = np.array(self.series.names, object)
        shared = {
            "unique_id": np.broadcast_to(names, shape),
            "channel": np.broadcast_to(channel, shape),
            "origin": origin,
            "ds": ds,
            "step": np.broadcast_to(step, shape),
            "y": self.actual,
        }
        levels = sorted({q for f in self.forecasts.values() for q in f.levels})
        none, parts = np.full(shape, np.nan), []
        for model, found in self.forecasts.items():
            part = {"model": np.full(shape, model, object), **shared}
            part["mean"] = found.mean
            for q in levels:
                part[f"q{q:g}"] = found.quantiles.get(q, none)
            parts.append(part)
        return {
            name: np.concatenate([np.ravel(part[name]) for part in parts])
            for name in parts[0]
        }

    def to_frame(self, backend="pandas"):
        """A long data frame with the columns of `to_columns`.

        Args:
            backend: `"pandas"`, `"polars"` or another that narwhals can make.

        Raises:
            ImportError: If narwhals or the backend is not installed.
        """
        narwhals = Lazy("narwhals", "pip install narwhals")
        columns = {name: list(x) for name, x in self.to_columns().items()}
        return narwhals.from_dict(columns, backend=backend).to_native()

    def __str__(self):
        return "\n".join([self._head(), *_lines(self.table()), *self._note()])

    def _head(self):
        count, windows = len(self.series), len(self.stops)
        return (
            f"Backtest: {count} series, {windows} "
            f"{'origin' if windows == 1 else 'origins'}, {self.horizon} steps each, "
            f"season of {self.season}"
        )

    def _note(self):
        shares = {
            f"{100 * (ends[1] - ends[0]):.4g} %"
            for found in self.forecasts.values()
            if (ends := found.interval()) is not None
        }
        if not shares:
            return []
        return [f"coverage: should be {' or '.join(sorted(shares))}; the rest: low"]

    def plot(self, score="mase", by="step"):
        """Plots a score, a line for each model.

        Args:
            score: Name of a score of `scores`.
            by: `"step"` for the steps of the horizon, `"window"` for the origins.

        Returns:
            A `matplotlib.figure.Figure`: show it in a notebook, or `savefig` it.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If no model has this score, or `by` is neither.
        """
        counts = {"step": self.horizon, "window": len(self.stops)}
        if by not in counts:
            raise ValueError(f"`by` must be one of {list(counts)}; got {by!r}.")
        names = {name: self.scores(name) for name in self.forecasts}
        models = [name for name, scores in names.items() if score in scores]
        if not models:
            known = list(dict.fromkeys(n for row in names.values() for n in row))
            raise ValueError(f"No model has the score {score!r}. Scores: {known}.")
        figure, axes = new_figure()
        places = np.arange(1, counts[by] + 1)
        for model in models:
            line = [self.scores(model, **{by: place - 1})[score] for place in places]
            label = f"{model}, {names[model][score]:.4g} on all"
            axes.plot(places, line, "o-", markersize=3, label=label)
        axes.set_xlabel("step ahead" if by == "step" else "origin, latest last")
        axes.set_ylabel(score)
        axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return figure


def _lines(table):
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    rows = [["", *columns]]
    for model, scores in table.items():
        cells = [_cell(name, scores.get(name, np.nan)) for name in columns]
        rows.append([model, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    ]


def _cell(name, value):
    if np.isnan(value):
        return "–"
    if name == "coverage":
        return f"{100 * value:.1f} %"
    return f"{value:.1f}" if name == "seconds" else f"{value:.4g}"
