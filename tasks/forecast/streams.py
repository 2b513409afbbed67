"""Streams: rows come as time goes by, and each call forecasts what is next."""

import numpy as np

from tasks.answering import predict_on_batch
from tasks.forecast.carried import (
    build_foreteller,
    build_reader,
    first_states,
    state_names,
)
from tasks.forecast.checks import check_batch_size, check_horizon, check_known_ahead
from tasks.forecast.predictive import rows_compiled
from tasks.forecast.windows import scaled_windows

_MOST = 512  # steps that are read at once


class HeldRows:
    """Goes on by the latest rows: those of a window, and of a season.

    Args:
        forecaster: `tasks.forecasting.Forecaster`.
    """

    def __init__(self, forecaster):
        self.forecaster, self.series = forecaster, None

    def update(self, new, **how):
        """Forecasts what comes after a `SeriesSet` of new rows; see `Forecaster`."""
        options = self.forecaster.options
        series = new if self.series is None else self.series.followed_by(new)
        forecast = self.forecaster.predict(series, **how)
        self.series = series.slice(-max(options["context_length"], options["season"]))
        return forecast

    def restart(self):
        """Forgets all rows."""
        self.series = None


class CarriedState:
    """Goes on by the state that all rows since the first one have led to.

    The state kept is that before the latest row, which is read anew with each forecast:
    what an autoregressive model reads beside a value is known of the step after it, and
    may be known better by then.

    Args:
        forecaster: `tasks.forecasting.Forecaster`, for which
            `tasks.forecast.carried.why_not_carried` finds nothing.
        parts: `tasks.forecast.parts.Parts` of its model.
    """

    def __init__(self, forecaster, parts):
        self.forecaster, self.parts = forecaster, parts
        self._readers, self._foreteller = {}, build_foreteller(parts)
        self.restart()

    def restart(self):
        """Forgets all rows, and the state."""
        self.series, self._states, self._seen = None, None, False

    def update(self, new, horizon=None, samples=None, seed=0, batch_size=512):
        """Forecasts what comes after a `SeriesSet` of new rows; see `Forecaster`."""
        forecaster = self.forecaster
        horizon = check_horizon(horizon, forecaster.options["horizon"])
        check_batch_size(batch_size)
        forecaster.check_trained()
        series, states = new, self._states
        unread = np.array(new.lengths, int)
        if self.series is None:
            rows = len(new) * new.channels
            states = first_states(self.parts, rows) if rows else {}
        else:
            series, unread = self.series.followed_by(new), unread + 1
        seen = self._check_seen(new)
        check_known_ahead(series, horizon)
        states = self._read(series, unread - 1, states, batch_size)
        windows = WithStates(self._windows(series, 1, batch_size), states)
        forecast = forecaster.forecast_of(
            self._foreteller, series, windows, horizon, samples, seed, batch_size
        )
        # Only now: a call that failed leaves the stream as it was.
        self._states, self._seen = states, seen
        self.series = series.slice(-forecaster.options["season"])
        return forecast

    def _check_seen(self, new):
        there = [~np.isnan(values).all(0) for values in new.values]
        seen = self._seen | np.array(there).reshape(len(new), new.channels)
        for name, channels in zip(new.ids, seen, strict=True):
            if not channels.all():
                raise ValueError(
                    f"Channel {int(np.argmin(channels))} of series {name!r} has had no "
                    "value yet: nothing to go on."
                )
        return seen

    def _windows(self, series, steps, batch_size):
        recent = series.slice(-steps)
        origins = [np.array([n]) for n in recent.lengths]
        options = {**self.forecaster.options, "context_length": steps}
        scaling = self.forecaster.scaling
        return scaled_windows(recent, scaling, options, batch_size, origins)

    def _read(self, series, counts, states, batch_size):
        """The states after reading, of each series, so many rows before its last."""
        behind = int(max(counts, default=0))
        counts = np.repeat(counts, series.channels)
        while behind > 0:
            steps = min(rows_compiled(behind, _MOST), _MOST)
            after = max(0, behind - steps)  # rows that are left to read
            windows = self._windows(series.slice(None, -1 - after), steps, batch_size)
            # How many rows before the last one each step lies.
            place = after + steps - np.arange(steps)
            read = (place <= behind) & (place <= counts[:, None])
            windows = WithStates(windows, {**states, "read": read})
            states = self._run(self._reader(steps), windows, batch_size)
            behind = after
        return states

    def _reader(self, steps):
        if steps not in self._readers:
            self._readers[steps] = build_reader(self.parts, steps)
        return self._readers[steps]

    def _run(self, model, windows, size):
        parts = []
        for start in range(0, windows.total, size):
            rows = np.arange(start, min(start + size, windows.total))
            # Few shapes, as each is compiled anew.
            padded = np.resize(rows, rows_compiled(len(rows), size))
            found = predict_on_batch(model, windows.rows(padded))
            parts.append({k: np.asarray(x)[: len(rows)] for k, x in found.items()})
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in state_names(self.parts)
        }


class WithStates:
    """Windows with arrays of their rows beside.

    Args:
        windows: `tasks.data.windows.Windows`.
        arrays: Dict of arrays `(rows, ...)`.
    """

    def __init__(self, windows, arrays):
        self.windows, self.arrays = windows, arrays
        self.total, self.origins = windows.total, windows.origins

    def rows(self, chosen, target=False):
        """Inputs of some rows, by their numbers."""
        beside = {name: array[chosen] for name, array in self.arrays.items()}
        return {**self.windows.rows(chosen, target=target), **beside}
