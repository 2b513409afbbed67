"""What a forecaster says of the future: forecasts, from histories and from streams."""

import functools

import numpy as np

from tasks.forecast.carried import why_not_carried
from tasks.forecast.checks import (
    check_batch_size,
    check_horizon,
    check_known_ahead,
    check_recent,
)
from tasks.forecast.options import whole
from tasks.forecast.predictive import Predictive, in_shape
from tasks.forecast.result import Forecast
from tasks.forecast.streams import CarriedState, HeldRows


class Foresight:
    """The part of `tasks.forecasting.Forecaster` that looks ahead."""

    def predict(self, history, horizon=None, samples=None, seed=0, batch_size=512):
        """Forecasts what comes after each series.

        Args:
            history: Whatever `SeriesSet.from_any` reads. Only the last `context_length`
                steps are looked at; a shorter series is filled up with missing steps.
            horizon: Number of steps, up to that of the forecaster, which is the
                default.
            samples: Number of paths to draw; none by default, and for an
                autoregressive forecaster as many as its option `samples`. Other
                forecasters know each step's distribution, not how steps go together:
                there, steps are drawn independently of each other.
            seed: Decides what is drawn.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            `tasks.forecasting.Forecast`, with a forecast for each series in their
            order.

        Raises:
            ValueError: If the data do not fit, a series has no values, future
                covariates end too early, or an argument is out of range.

        Example: with the forecaster that `fit` shows. The file goes on with rows of the
        next 14 days, where `discount` is filled in and `sold` is empty.

            forecaster = zoo.load("my_forecaster")
            forecast = forecaster.predict("sales.csv")
            print(forecast)
            forecast.to_frame().to_csv("next_two_weeks.csv")
            forecast.plot(series="Rome").savefig("rome.png")
        """
        horizon = check_horizon(horizon, self.options["horizon"])
        check_batch_size(batch_size)
        series = self.read(history)
        self.check_trained()
        context = self.options["context_length"]
        check_recent(series, context)
        check_known_ahead(series, horizon)
        # What lies before the window would only be copied.
        recent = series.slice(-context)
        origins = [np.array([n]) for n in recent.lengths]
        windows = self._windows(recent, batch_size, origins) if len(series) else None
        asked = (series, windows, horizon, samples, seed, batch_size)
        return self.forecast_of(self.model, *asked)

    def check_trained(self):
        """Raises a ValueError if this forecaster has not been trained."""
        if not self.scaling.fitted:
            raise ValueError("This forecaster has not been trained: call `fit` first.")

    def forecast_of(self, model, series, windows, horizon, samples, seed, batch_size):
        """What a model with this forecaster's head says of a window of each series.

        Args:
            model: This forecaster's model, or one that shares its layers.
            series: `SeriesSet`.
            windows: Their windows, see `tasks.data.windows.Windows`; may be `None` if
                there are no series.
            horizon, samples, seed, batch_size: As of `predict`.
        """
        if samples is not None:
            samples = whole("samples", samples)
        shape, season = (len(series), self.options["channels"]), self.options["season"]
        if not len(series):
            empty = np.zeros((0, horizon, series.channels))
            return Forecast(series, empty, season=season)
        predictive = self._predictive(model=model)
        answer = predictive.answer(windows, batch_size, samples, seed)
        parts = (in_shape(part, shape, horizon) for part in answer)
        return Forecast(series, *parts, season)

    def _predictive(self, transformed=False, model=None):
        back = (lambda values: values) if transformed else self.scaling.back
        linear = transformed or self.scaling.linear
        model = self.model if model is None else model
        return Predictive(model, self._parts.head, self.options, back, linear)

    # === Streams ===

    def update(self, rows, horizon=None, **options):
        """Goes on from the rows of a stream, and forecasts what comes after them.

        The first call begins the stream; a call costs the same after any number of
        rows. What is carried from call to call depends on the options:

        - With `architecture="direct"` or `"autoregressive"` and `normalization=None`
          (put series on one scale with `transform`), the recurrent state: each new row
          is one step of the layer. Forecasts are those of reading all rows of the
          stream from its first one, however they were cut into calls; `predict` reads
          the last `context_length` rows alone.
        - Otherwise, where a window is normalised by itself or cut into segments, no
          state of the rows before can be part of it. The rows of a window are held
          instead, and forecasts are those of `predict` on all rows.

        `carries_state` says which. With covariates known ahead, what new rows say of
        the next step replaces what was known before.

        Args:
            rows: The next rows of the same series, as `predict` takes histories.
            horizon, **options: As of `predict`.

        Returns:
            `tasks.forecasting.Forecast`. Its history are the rows that are held.

        Raises:
            ValueError: If the rows are of other series, or do not follow the last
                ones. The stream then stays where it was.
        """
        return self._stream.update(self.read(rows), horizon=horizon, **options)

    @property
    def carries_state(self):
        """Whether `update` carries the recurrent state, and not rows."""
        return why_not_carried(self.options) is None

    @functools.cached_property
    def _stream(self):
        return CarriedState(self, self._parts) if self.carries_state else HeldRows(self)

    def restart(self):
        """Forgets the stream that `update` has read."""
        self._stream.restart()
