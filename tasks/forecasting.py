"""Forecasting: one recurrent model over many series, with its own uncertainty."""

from zlib import crc32

import numpy as np

from tasks.anomalies import anomalies_of
from tasks.backtest import backtest
from tasks.data.calendar_features import calendar_for
from tasks.data.frequency import Frequency
from tasks.data.series import SeriesSet
from tasks.data.windows import origins_of
from tasks.exports import export_model
from tasks.forecast_options import OPTIONS, checked_options, model_sizes, sizes_of
from tasks.forecast_scores import score_windows
from tasks.forecast_windows import scaled_windows
from tasks.forecaster import build_forecaster
from tasks.forecasts import Forecast
from tasks.heads import get_head
from tasks.predictive import Predictive, in_shape
from tasks.scaling import Scaling
from tasks.task import Task
from tasks.training import BestWeights
from zoo.preset import loadable

# Layers made anew for another horizon or head.
HEAD = ("head", "decoder", "hidden", "future_embedding", "copies")
_COLUMNS = ("target", "id", "time", "static", "past_covariates", "future_covariates")


@loadable
class Forecaster(Task):
    """Forecasts time series, each channel on its own, with one model for all of them.

    A window of the last `context_length` steps goes in, normalised by what is known of
    it; out comes what `head` says of each step of the horizon. Missing values are
    masked: the model is told where they are, and neither its loss nor any score counts
    them. Covariates, static features and the calendar come beside the values.

    Args:
        horizon: Number of steps ahead.
        context_length: Number of steps that are read.
        channels: Number of channels of a series. They share all weights, but each has a
            vector of its own.
        architecture: `"segment"` reads segments of `segment_length` steps, one a
            recurrent step, and steps once more for each future segment (SegRNN);
            `"direct"` reads step by step, then foretells the horizon with a dense
            network; `"autoregressive"` draws step after step (DeepAR).
        layer: Name of a recurrent layer of `zoo.layers`.
        units, num_layers, layer_options: Size, number and further options of it.
        head: `"quantiles"`, `"gaussian"`, `"student_t"`, `"negative_binomial"` (for
            counts), or a point forecast trained on `"mae"` or `"mse"`.
        quantiles: Levels that forecasts have, increasing.
        normalization: `"instance"` (mean and standard deviation of the window),
            `"last"` (its last value), `"scale"` (its mean absolute value) or `None`.
        normalized_loss: Whether losses are those of normalised values, so that each
            window counts alike; if not, those of transformed values.
        transform: `None`, `"standard"`, `"log"` or `"box_cox"`, of the values before
            all that, see `tasks.scaling.Scaling`. Undone in every answer.
        segment_length: Steps of a segment; a season by default, or 12 at most.
        dropout: Rate of dropout before the last layer.
        season: Steps of a season, for the seasonal naive forecast beside.
        frequency: Text such as `"h"`, or `None` for steps that are only counted.
        calendar: Names of cycles that the model is told of, see
            `tasks.data.calendar_features`; needs a frequency.
        static_size, past_size, future_size: Numbers of static features, and of
            covariates known up to the present, or ahead.
        season_copies: Whether the forecast is a mixture of past seasons, see
            `tasks.season_copies`, and what the head adds to it.
        samples: Number of paths that `"autoregressive"` draws at once.
        columns: Dict of the names of columns, with which data frames are read; see
            `SeriesSet.from_any`.

    Raises:
        ValueError: If an option does not fit.

    Example: `Forecaster.for_data(frame, horizon=24)`, then `fit(frame)`, then
    `print(forecaster.predict(frame))`.

    References:
        - Lin et al., [SegRNN: segment recurrent neural network for long-term time
          series forecasting](https://arxiv.org/abs/2308.11200), 2023
        - Salinas et al., [DeepAR: probabilistic forecasting with autoregressive
          recurrent networks](https://arxiv.org/abs/1704.04110), 2017
        - Wen et al., [A multi-horizon quantile recurrent forecaster](
          https://arxiv.org/abs/1711.11053), 2017
    """

    task = "forecasting"

    def __init__(self, horizon, context_length, **options):
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            known = ", ".join(["horizon", "context_length", *OPTIONS])
            raise ValueError(f"Unknown options {unknown}. Options: {known}")
        options = {"horizon": horizon, "context_length": context_length} | {
            **OPTIONS,
            **options,
        }
        self.options = checked_options(options)
        self.head = get_head(self.options["head"], self.options["quantiles"])
        self.scaling = Scaling(self.options["transform"])
        self.model, self.training_model = build_forecaster(model_sizes(self.options))
        self._history = None

    @classmethod
    def for_data(cls, data, horizon, context_length=None, calendar="auto", **options):
        """Makes a forecaster with the sizes that some data ask for.

        Args:
            data: See `fit`.
            horizon: Number of steps ahead.
            context_length: Number of steps that are read; by default two horizons, but
                at least two seasons.
            calendar: Names of cycles; by default those that fit the frequency.
            **options: Other options, and those of `SeriesSet.from_any`. Names of
                columns are kept, and hold for all data that this forecaster reads;
                covariates of arrays come with each data anew, in a `SeriesSet`.

        Returns:
            A `Forecaster`, untrained.
        """
        columns = {k: options.pop(k) for k in _COLUMNS if k in options}
        series = SeriesSet.from_any(data, **columns)
        step = None if series.frequency is None else Frequency.parse(series.frequency)
        found = {
            **sizes_of(series),
            "frequency": series.frequency,
            "season": 1 if step is None else step.season,
            "calendar": calendar_for(step) if calendar == "auto" else list(calendar),
            "columns": {k: v for k, v in columns.items() if _is_names(v)},
        }
        found |= options
        if context_length is None:
            context_length = max(2 * horizon, 2 * found["season"])
        return cls(horizon, context_length, **found)

    @classmethod
    def from_preset(cls, preset, **overrides):
        """Makes the forecaster from a preset; overrides may ask for a new head."""
        task = cls(**{**preset.options, **overrides})
        fresh = any(
            task.options[name] != preset.options[name]
            for name in ("horizon", "head", "quantiles", "architecture")
        )
        preset.load_weights(task.model, skip=HEAD if fresh else ())
        task.scaling = Scaling.from_text(preset.assets["scaling.txt"])
        task._examples = [] if overrides else preset.examples
        return task

    def assets(self):
        return {"scaling.txt": self.scaling.text()}

    _examples = ()

    def examples(self):
        """Histories with the forecasts this forecaster gives them."""
        return [
            {"history": e["history"], **self.predict(e["history"], seed=0).to_dict()}
            for e in self._examples
        ]

    def show_examples(self, histories):
        """Sets the histories whose forecasts are saved along with the forecaster.

        Args:
            histories: List of series as plain lists.
        """
        self._examples = [{"history": history} for history in histories]

    # === Data ===

    def read(self, data):
        """Reads data as `SeriesSet.from_any` does, and checks that they fit.

        Raises:
            ValueError: If channels, frequency or covariates are others than those of
                this forecaster.
        """
        series = SeriesSet.from_any(data, **self.options["columns"])
        if not len(series):
            return series
        found = sizes_of(series)
        if series.frequency is not None or self.options["calendar"]:
            found["frequency"] = series.frequency
        for name, value in found.items():
            if value != self.options[name]:
                raise ValueError(
                    f"This forecaster has {name}={self.options[name]!r}; the data have "
                    f"{value!r}. `Forecaster.for_data` makes one that fits."
                )
        return series

    def _windows(self, series, batch_size, origins=None, **options):
        return scaled_windows(
            series, self.scaling, self.options, batch_size, origins, **options
        )

    # === Training ===

    def fit(
        self,
        data,
        validation_data=None,
        epochs=10,
        batch_size=256,
        learning_rate=1e-3,
        windows_per_epoch=None,
        patience=None,
        seed=0,
        verbose="auto",
        checkpoint_dir=None,
        callbacks=(),
    ):
        """Trains on windows of some series.

        Scaling is found on these data the first time, and stays as it is when a trained
        forecaster is trained further.

        Args:
            data: Whatever `SeriesSet.from_any` reads. A series that is shorter than
                context and horizon together is filled up with missing steps; one needs
                two steps at least.
            validation_data: The same. Scored after each epoch on every window
                (`val_skill`); the weights of the best epoch are kept. The first
                `context_length` steps of each series are only read.
            epochs: Passes over the data.
            batch_size: Windows a step, each channel counted as one.
            learning_rate: Highest rate of Adam; warms up, then decays.
            windows_per_epoch: Number of windows of an epoch, drawn at random; all by
                default.
            patience: Epochs without a better `val_skill` after which to stop.
            seed: Decides order and dropout.
            verbose: Keras' verbosity; a progress bar by default.
            checkpoint_dir: Folder to save the run's state in after each epoch. Called
                again with the same folder and arguments, a killed run goes on.
            callbacks: Keras callbacks. A state of their own is not taken up again.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read, are empty or do not fit.
        """
        series = self._long_enough(self.read(data))
        if not self.scaling.fitted:
            self.scaling.fit(series)
        windows = self._windows(
            series,
            batch_size,
            shuffle=True,
            seed=seed,
            windows_per_epoch=windows_per_epoch,
        )
        callbacks = list(callbacks)
        if validation_data is not None:
            held = self._long_enough(self.read(validation_data))
            best = BestWeights(
                lambda: self.evaluate(held, levels=[])["skill"], "val_skill", patience
            )
            callbacks.insert(0, best)
        self._history = None
        return self._fit(
            windows,
            windows.as_dataset(),
            _checksum(series),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            verbose=verbose,
            checkpoint_dir=checkpoint_dir,
            callbacks=callbacks,
        )

    def _long_enough(self, series):
        if not len(series):
            raise ValueError("The data are empty: there is no series.")
        for name, values in zip(series.ids, series.values, strict=True):
            if len(values) < 2:
                raise ValueError(
                    f"Series {name!r} has {len(values)} steps; two are needed at least."
                )
            if np.isnan(values).all():
                raise ValueError(f"Series {name!r} has no values at all.")
        return series

    # === Answers ===

    def predict(self, history, horizon=None, samples=None, seed=0, batch_size=512):
        """Forecasts what comes after each series.

        Args:
            history: Whatever `SeriesSet.from_any` reads. Only the last `context_length`
                steps are looked at; a shorter series is filled up with missing steps.
            horizon: Number of steps, up to that of the forecaster, which is the
                default.
            season_copies: Whether the forecast is a mixture of past seasons, see
            `tasks.season_copies`, and what the head adds to it.
        samples: Number of paths to draw; none by default, and for an
                autoregressive forecaster as many as its option `samples`. Other
                forecasters know each step's distribution, not how steps go together:
                there, steps are drawn independently of each other.
            seed: Decides what is drawn.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            `tasks.forecasts.Forecast`, with a forecast for each series in their order.

        Raises:
            ValueError: If the data do not fit, a series has no values, future
                covariates end too early, or an argument is out of range.
        """
        horizon = self._check_horizon(horizon)
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        series = self.read(history)
        self._check_history(series, horizon)
        shape = (len(series), self.options["channels"])
        if not len(series):
            empty = np.zeros((0, horizon, series.channels))
            return Forecast(series, empty, season=self.options["season"])
        # What lies before the window would only be copied.
        recent = series.slice(-self.options["context_length"])
        origins = [np.array([n]) for n in recent.lengths]
        windows = self._windows(recent, batch_size, origins)
        answer = self._predictive().answer(windows, batch_size, samples, seed)
        return Forecast(
            series,
            *(in_shape(part, shape, horizon) for part in answer),
            self.options["season"],
        )

    def _check_horizon(self, horizon):
        trained = self.options["horizon"]
        if horizon is None:
            return trained
        if not 1 <= horizon <= trained:
            raise ValueError(
                f"`horizon` must be from 1 to {trained}, for which this forecaster was "
                f"made. Received: {horizon}"
            )
        return int(horizon)

    def _check_history(self, series, horizon):
        if not self.scaling.fitted:
            raise ValueError("This forecaster has not been trained: call `fit` first.")
        context = self.options["context_length"]
        for i, values in enumerate(series.values):
            recent = values[-context:]
            gone = ~np.isfinite(recent).any(0) if len(recent) else np.array([True])
            if gone.any():
                raise ValueError(
                    f"Channel {int(np.argmax(gone))} of series {series.ids[i]!r} has "
                    f"no value among its last {context} steps: nothing to go on."
                )
            if series.future is not None:
                known, needed = len(series.future[i]), len(values) + horizon
                if known < needed:
                    raise ValueError(
                        f"The future covariates of series {series.ids[i]!r} have "
                        f"{known} steps; a horizon of {horizon} needs {needed}."
                    )

    def _predictive(self, transformed=False):
        back = (lambda values: values) if transformed else self.scaling.back
        linear = transformed or self.scaling.linear
        return Predictive(self.model, self.head, self.options, back, linear)

    def evaluate(
        self,
        data,
        stride=1,
        horizon=None,
        transformed=False,
        levels=None,
        batch_size=512,
    ):
        """Scores forecasts from every place of some series, beside seasonal naive.

        Args:
            data: See `fit`. A window is scored for each place from which the whole
                horizon lies inside, after the first `context_length` steps; a series
                too short for that has one window.
            stride: Steps from one window to the next.
            horizon: Number of steps to score, up to that of the forecaster.
            transformed: Whether to score transformed values instead of those of the
                data; with `transform="standard"`, scores are those of standardised
                data, as papers on long horizons give them.
            levels: Levels of the quantiles to score, those of the forecaster by
                default; none, `[]`, is faster.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            Dict of floats: `"mse"`, `"mae"`, `"smape"`, `"mase"` of the forecasts'
            means (see `tasks.metrics.forecasts`); `"naive_mse"`, `"naive_mae"` and
            `"naive_mase"` of the seasonal naive forecast; `"skill"`, 1 less the ratio
            of the two MASE (of the two MAE where there is no MASE): 0 is as good as
            seasonal naive, 1 perfect. With a distribution also `"wql"` and
            `"coverage_<percent>"` for each central interval.

        Raises:
            ValueError: If the data cannot be read, are empty or do not fit.
        """
        horizon = self._check_horizon(horizon)
        series = self._long_enough(self.read(data))
        context = self.options["context_length"]
        origins = [origins_of(n, context, horizon)[::stride] for n in series.lengths]
        asked = (series, origins, horizon, batch_size, transformed, levels)
        values, mean, quantiles = self._forecast_from(*asked)
        season = self.options["season"]
        return score_windows(values, origins, mean, quantiles, season)

    def _forecast_from(
        self, series, origins, horizon, batch_size, transformed=False, levels=None
    ):
        """Values, and means and quantiles `(windows, horizon, channels)`."""
        untrained = not self.scaling.fitted
        if untrained:
            # For these data alone: training finds its own.
            self.scaling.fit(series)
        try:
            values = self.scaling.forth(series) if transformed else series.values
            windows = self._windows(series, batch_size, origins)
            predictive = self._predictive(transformed)
            answer = predictive.answer(windows, batch_size, levels=levels)
        finally:
            if untrained:
                self.scaling = Scaling(self.options["transform"])
        shape = (len(windows.origins), self.options["channels"])
        return values, *(in_shape(part, shape, horizon) for part in answer[:2])

    def next_steps(self, series, origins, batch_size=512):
        """Lowest, middle and highest quantile of the step after each place.

        Args:
            series: `SeriesSet`.
            origins: List of arrays of places, one a series.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            Three arrays `(places, channels)`.
        """
        *_, quantiles = self._forecast_from(series, origins, 1, batch_size)
        levels = list(quantiles)
        middle = min(levels, key=lambda level: abs(level - 0.5))
        return tuple(quantiles[q][:, 0] for q in (levels[0], middle, levels[-1]))

    def backtest(self, data, **options):
        """Forecasts the past from several places, beside simple methods.

        Args:
            data: See `fit`.
            **options: See `tasks.backtest.backtest`: `windows`, `step`, `horizon`,
                `refit`, `baselines`, `season` and `fit`.

        Returns:
            `tasks.backtest_result.Backtest`: prints a table, and plots.
        """
        return backtest(self, data, **options)

    def detect_anomalies(self, data, limit=None, batch_size=512):
        """Finds values that the steps before them did not lead to expect.

        Each value is held against its distribution, as foretold from the step before.

        Args:
            data: See `fit`. The first `context_length` steps of a series are only read.
            limit: Score from which a value is an anomaly; 3 by default, three times as
                far from the median as the outermost quantile on its side.
            batch_size: Most windows to read at once, each channel counted as one.

        Returns:
            `tasks.anomalies.Anomalies`: scores `(time, channels)` of each series, which
            plot.

        Raises:
            ValueError: If the forecaster gives points without a spread, or the data do
                not fit.
        """
        series = self._long_enough(self.read(data))
        return anomalies_of(self, series, limit, batch_size)

    # === Streams ===

    def update(self, rows, horizon=None, **options):
        """Goes on from the rows of a stream, and forecasts what comes after them.

        The first call begins the stream; the forecaster then holds what it needs of the
        rows it has seen, so a call costs the same after any number of them. Forecasts
        are those of `predict` on all rows from the start.

        Args:
            rows: The next rows of the same series, as `predict` takes histories.
            horizon, **options: As of `predict`.

        Returns:
            `tasks.forecasts.Forecast`. Its history are the rows that are held.

        Raises:
            ValueError: If the rows are of other series, or do not follow the last ones.
        """
        new = self.read(rows)
        if self._history is not None:
            new = self._history.followed_by(new)
        keep = max(self.options["context_length"], self.options["season"])
        forecast = self.predict(new, horizon, **options)
        self._history = new.slice(-keep)
        return forecast

    def restart(self):
        """Forgets the stream that `update` has read."""
        self._history = None

    def export(self, folder):
        """Writes the model as a TensorFlow SavedModel, with its scaling beside.

        The signature `serve` takes `values` and `mask` (and `channel`, `static`,
        `past`, `future` or `noise`, if the forecaster has them), transformed as
        `scaling.txt` in `assets.zoo` says, and returns what the head says of each step.

        Args:
            folder: Where; must not exist yet.

        Raises:
            ValueError: If something is there already, or the backend is not TensorFlow.
        """
        export_model(self.model, folder, self.assets())


def _is_names(value):
    if isinstance(value, str):
        return True
    return isinstance(value, list) and all(isinstance(x, str) for x in value)


def _checksum(series):
    """A number that tells training data from others."""
    parts = [*series.values, *(series.past or []), *(series.future or [])]
    if series.static is not None:
        parts.append(series.static)
    value = crc32(repr((series.ids, series.starts)).encode("utf-8", "surrogatepass"))
    for array in parts:
        value = crc32(np.ascontiguousarray(array).tobytes(), value)
    return value
