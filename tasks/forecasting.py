"""Forecasting: one recurrent model over many series, with its own uncertainty."""

import functools

import numpy as np

from tasks.data.calendar_features import calendar_for
from tasks.data.frequency import Frequency
from tasks.data.series import SeriesSet
from tasks.exports import export_model
from tasks.forecast.anomalies import Anomalies
from tasks.forecast.backtest_result import Backtest
from tasks.forecast.checks import (
    check_batch_size,
    check_counts,
    check_enough,
    check_fits,
    checksum,
)
from tasks.forecast.foresight import Foresight
from tasks.forecast.hindsight import Hindsight
from tasks.forecast.model import build_forecaster
from tasks.forecast.options import (
    OPTIONS,
    checked_options,
    model_sizes,
    sizes_of,
    whole,
)
from tasks.forecast.parts import Parts
from tasks.forecast.result import Forecast
from tasks.forecast.scaling import Scaling
from tasks.forecast.windows import scaled_windows
from tasks.task import Task
from tasks.training import BestWeights
from zoo.preset import loadable

__all__ = ["Anomalies", "Backtest", "Forecast", "Forecaster", "SeriesSet"]

_COLUMNS = ("target", "id", "time", "static", "past_covariates", "future_covariates")


@loadable
class Forecaster(Foresight, Hindsight, Task):
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
        median_leads: Whether quantiles are made so that the median alone shapes the
            recurrent layers, and is as good as with head `"mae"`; see
            `tasks.forecast.leading_median`.
        normalization: `"instance"` (mean and standard deviation of the window),
            `"last"` (its last value), `"scale"` (its mean absolute value) or `None`.
        normalized_loss: Whether losses are those of normalised values, so that each
            window counts alike; if not, those of transformed values.
        loss_horizons: Numbers of steps, such as `[96, 720]`: training counts the mean
            loss over the first so many steps of each alike, so that near steps count
            more. By default all steps of the horizon count alike.
        transform: `None`, `"standard"`, `"log"` or `"box_cox"`, of the values before
            all that, see `tasks.forecast.scaling.Scaling`. Undone in every answer. The
            model computes with seven digits, so values that are large beside their
            changes need `"standard"`.
        segment_length: Steps of a segment; a season by default, or 12 at most.
        dropout: Rate of dropout before the last layer.
        season: Steps of a season, for the seasonal naive forecast beside.
        frequency: Text such as `"h"`, or `None` for steps that are only counted.
        calendar: Names of cycles that the model is told of, see
            `tasks.data.calendar_features`; needs a frequency.
        static_size, past_size, future_size: Numbers of static features, and of
            covariates known up to the present, or ahead.
        season_copies: Whether the forecast is a mixture of past seasons, see
            `tasks.forecast.season_copies`, and what the head adds to it.
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
    defaults = {"horizon": None, "context_length": None, **OPTIONS}
    # Layers made anew for another horizon or head.
    head = ("head", "decoder", "hidden", "future_embedding", "copies")
    example_key = "history"

    def __init__(self, horizon, context_length, **options):
        options = {"horizon": horizon, "context_length": context_length, **options}
        self.options = checked_options(self._complete(options))
        self.scaling = Scaling(self.options["transform"])
        self._parts = Parts(model_sizes(self.options))
        self.model, self.training_model = build_forecaster(self._parts)

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
        horizon = whole("horizon", horizon)
        columns = {k: options.pop(k) for k in _COLUMNS if k in options}
        series = SeriesSet.from_any(data, **columns)
        step = None if series.frequency is None else Frequency.parse(series.frequency)
        found = {
            **sizes_of(series),
            "frequency": series.frequency,
            "season": 1 if step is None else step.season,
            "calendar": calendar_for(step) if calendar == "auto" else calendar,
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
        preset.load_weights(task.model, skip=cls.head if fresh else ())
        task.scaling = Scaling.from_text(preset.assets["scaling.txt"])
        if not overrides:
            task.show_examples(e[cls.example_key] for e in preset.examples)
        return task

    def assets(self):
        return {"scaling.txt": self.scaling.text()}

    def answers_to(self, inputs):
        """Forecasts of histories, with these beside.

        Args:
            inputs: Plain lists `(time,)`, or `(time, channels)`.
        """
        # As a list of lists it would be several series.
        found = [self.predict(np.array(x, np.float64), seed=0) for x in inputs]
        return [
            {self.example_key: x, **forecast.to_dict()}
            for x, forecast in zip(inputs, found, strict=True)
        ]

    # === Data ===

    def read(self, data):
        """Reads data as `SeriesSet.from_any` does, and checks that they fit.

        Raises:
            ValueError: If channels, frequency or covariates are others than those of
                this forecaster.
        """
        series = SeriesSet.from_any(
            data, fallback=self.options["frequency"], **self.options["columns"]
        )
        if not len(series):
            return series
        check_fits(series, self.options)
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
        seed=0,
        **run,
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
            seed: Decides order and dropout.
            **run: `patience`, `verbose`, `resume_dir` (a killed run goes on),
                `callbacks`, `optimizer`, `clipnorm`, `jit_compile`: see
                `tasks.task.Task`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: If the data cannot be read, are empty or do not fit, or an
                argument is out of range.

        Example: a file of one's own, `sales.csv`, with a row for each day of each shop
        and the columns `shop`, `day`, `sold` and `discount`, of which the last is known
        ahead:

            forecaster = Forecaster.for_data(
                "sales.csv", horizon=14, id="shop", time="day", target="sold",
                future_covariates=["discount"],
            )
            forecaster.fit("sales.csv", epochs=20)
            forecaster.save("my_forecaster")
        """
        check_batch_size(batch_size)
        if windows_per_epoch is not None:
            windows_per_epoch = whole("windows_per_epoch", windows_per_epoch)
        series = check_enough(self.read(data))
        if self.options["head"] == "negative_binomial":
            check_counts(series)
        if not self.scaling.fitted:
            self.scaling.fit(series)
        windows = self._windows(
            series,
            batch_size,
            shuffle=True,
            seed=seed,
            windows_per_epoch=windows_per_epoch,
        )
        best = show = None
        if validation_data is not None:
            held = check_enough(self.read(validation_data))
            if not self.options["future_size"]:
                first = held.select([0])
                show = lambda: [self.predict(first)]  # noqa: E731
            score = functools.partial(self._skill, held)
            best = functools.partial(BestWeights, score, "val_skill")
        self.restart()
        return self._fit(
            windows,
            windows.as_dataset(),
            checksum(series),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            show=show,
            **run,
        )

    def _skill(self, series):
        return self.evaluate(series, levels=[])["skill"]

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
