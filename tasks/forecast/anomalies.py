"""Values that a forecaster did not expect."""

from dataclasses import dataclass, field

import numpy as np

from tasks.data.series import SeriesSet
from tasks.forecast.plot import plot_anomalies, position


@dataclass(frozen=True)
class Anomalies:
    """Scores of the values of some series, and which of them are anomalies.

    The score of a value $y$ with the median $m$ and outermost quantiles $l < u$ of its
    distribution, foretold from the step before, is $(y - m) / (u - m)$ above the median
    and $(m - y) / (m - l)$ below it: 0 at the median, 1 at the quantiles.

    Args:
        series: `tasks.data.series.SeriesSet`.
        scores: List of arrays `(time, channels)`, one a series; NaN where a value is
            missing, or was only read.
        limit: Score from which a value is an anomaly.
    """

    series: SeriesSet = field(repr=False)
    scores: list = field(repr=False)
    limit: float

    @property
    def flags(self):
        """List of boolean arrays `(time, channels)`, true for anomalies."""
        with np.errstate(invalid="ignore"):
            return [scores >= self.limit for scores in self.scores]

    def __len__(self):
        """Number of anomalies."""
        return int(sum(flags.sum() for flags in self.flags))

    def __iter__(self):
        """Anomalies as dicts, the most striking first."""
        rows = []
        for i, (scores, flags) in enumerate(zip(self.scores, self.flags, strict=True)):
            for step, channel in np.argwhere(flags):
                rows.append((float(scores[step, channel]), i, int(step), int(channel)))
        for score, i, step, channel in sorted(rows, key=lambda row: -row[0]):
            yield {
                "id": self.series.ids[i],
                "channel": self.series.names[channel],
                "time": _plain(self.series.time(i, step)),
                "value": float(self.series.values[i][step, channel]),
                "score": score,
            }

    def __str__(self):
        lines = [f"{len(self)} anomalies (scores from {self.limit:g} on)"]
        for number, row in enumerate(self):
            if number == 8:
                lines.append(f"... {len(self) - 8} more")
                break
            lines.append(
                f"{row['id']} {row['channel']} {row['time']}: {row['value']:.6g} "
                f"(score {row['score']:.2f})"
            )
        return "\n".join(lines)

    def plot(self, series=0, channel=0):
        """Plots one channel of a series with its anomalies, and their scores below.

        Args:
            series: Number or id of the series.
            channel: Number or name of the channel.

        Returns:
            A `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If there is no such series or channel.
        """
        series = position(series, self.series.ids, "series")
        channel = position(channel, self.series.names, "channel")
        return plot_anomalies(
            self.series.times(series),
            self.series.values[series][:, channel],
            self.scores[series][:, channel],
            self.limit,
            f"{self.series.ids[series]}, {self.series.names[channel]}",
        )


def anomalies_of(forecaster, series, limit=None, batch_size=512):
    """Scores each value by its distribution one step before; see `Forecaster`."""
    limit = 3.0 if limit is None else limit
    if not limit > 0:
        raise ValueError(f"`limit` must be a positive number. Received: {limit!r}")
    levels = forecaster.options["quantiles"]
    low, high = levels[0], levels[-1]
    if forecaster.options["head"] in ("mae", "mse") or not low < 0.5 < high:
        raise ValueError(
            "Anomalies need a forecaster with quantiles on both sides of the median. "
            f"This one has head={forecaster.options['head']!r}, quantiles={levels}."
        )
    context = forecaster.options["context_length"]
    origins = [np.arange(min(context, n - 1), n) for n in series.lengths]
    below, median, above = forecaster.next_steps(series, origins, batch_size)
    scores, start = [], 0
    for values, places in zip(series.values, origins, strict=True):
        rows = slice(start, start + len(places))
        start += len(places)
        found = np.full(values.shape, np.nan)
        now, middle = values[places], median[rows]
        width = np.where(now > middle, above[rows] - middle, middle - below[rows])
        # A width of zero foretells one value; any other is as strange as can be.
        tiny = np.finfo(np.float64).tiny
        with np.errstate(over="ignore"):
            score = np.abs(now - middle) / np.maximum(width, tiny)
        found[places] = np.minimum(score, 1e6)
        scores.append(found)
    return Anomalies(series, scores, float(limit))


def _plain(time):
    return str(time) if isinstance(time, np.datetime64) else int(time)
