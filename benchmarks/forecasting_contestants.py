"""The forecaster and neuralforecast's LSTM and DeepAR, of one size, ready to be timed.

Part of `forecasting.py`.
"""

import os
import sys
from dataclasses import dataclass, replace

KINDS = {"lstm": ("direct", "mae"), "deepar": ("autoregressive", "student_t")}


@dataclass(frozen=True)
class Size:
    """What all contestants share."""

    data_dir: str
    peer: str
    units: int = 128
    layers: int = 2
    context: int = 96
    horizon: int = 96
    windows: int = 256
    steps: int = 10
    histories: int = 512
    samples: int = 100


def read(size):
    """Training rows of ETTh1, standardised: array `(time, 7)`."""
    from tasks.data.forecasting_sets import ETT_SPLITS, read_ett

    values = read_ett(size.data_dir).values
    rows = values[slice(*ETT_SPLITS["train"])]
    return (values - rows.mean(0)) / rows.std(0)


def histories(size):
    """Many histories: array `(histories, context)`."""
    import numpy as np

    flat = read(size)[:8640].T.reshape(-1)
    starts = np.linspace(0, len(flat) - size.context, size.histories).astype(int)
    return flat[starts[:, None] + np.arange(size.context)]


def zoo_forecaster(size, kind, horizon=None):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from tasks.forecasting import Forecaster

    architecture, head = KINDS[kind]
    return Forecaster(
        horizon or size.horizon,
        size.context,
        architecture=architecture,
        layer="zoneout_lstm",
        layer_options={"zoneout_h": 0.0, "zoneout_c": 0.0},
        units=size.units,
        num_layers=size.layers,
        head=head,
        dropout=0.0,
        samples=size.samples,
        season=24,
    )


def zoo_training(size, kind, series=None, horizon=None):
    """`steps` steps of a warm model."""
    import keras

    from tasks.data.series import SeriesSet
    from tasks.forecast.windows import scaled_windows
    from tasks.losses import row_loss

    forecaster = zoo_forecaster(size, kind, horizon)
    series = list(read(size)[:8640].T) if series is None else series
    data = SeriesSet.from_any(series)
    forecaster.scaling.fit(data)
    windows = scaled_windows(
        data,
        forecaster.scaling,
        forecaster.options,
        size.windows,
        shuffle=True,
        seed=0,
        windows_per_epoch=size.windows * size.steps,
    )
    model = forecaster.training_model
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), row_loss)
    batches = windows.as_dataset()
    return lambda: model.fit(batches, shuffle=False, verbose=0)


def zoo_prediction(size, kind, series=None, horizon=None, paths=None):
    """Forecasts of all histories.

    The peer's DeepAR feeds each step's mean into the next one; ours draws many paths,
    each from what it drew itself. One path is as much work as theirs.
    """
    from tasks.data.series import SeriesSet

    size = replace(size, samples=paths or size.samples)
    forecaster = zoo_forecaster(size, kind, horizon)
    rows = list(histories(size)) if series is None else series
    forecaster.scaling.fit(SeriesSet.from_any(rows))
    return lambda: forecaster.predict(rows)


def peer_model(size, kind, **options):
    """neuralforecast with one model of our size."""
    sys.path.insert(0, size.peer)
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE, DistributionLoss
    from neuralforecast.models import LSTM, DeepAR

    shared = dict(
        h=size.horizon,
        input_size=size.context,
        batch_size=32,
        windows_batch_size=size.windows,
        inference_windows_batch_size=1024,
        max_steps=size.steps,
        learning_rate=1e-3,
        scaler_type="standard",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        accelerator="cpu",
        **options,
    )
    if kind == "lstm":
        model = LSTM(
            encoder_hidden_size=size.units,
            encoder_n_layers=size.layers,
            encoder_dropout=0.0,
            decoder_hidden_size=size.units,
            decoder_layers=2,
            loss=MAE(),
            **shared,
        )
    else:
        model = DeepAR(
            lstm_hidden_size=size.units,
            lstm_n_layers=size.layers,
            lstm_dropout=0.0,
            trajectory_samples=size.samples,
            loss=DistributionLoss("StudentT", level=[80], return_params=False),
            **shared,
        )
    return NeuralForecast([model], freq=1)


def peer_frame(rows):
    """The long form: a row for each value."""
    import numpy as np
    import pandas

    count, time = rows.shape
    return pandas.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), time),
            "ds": np.tile(np.arange(time), count),
            "y": rows.astype("float32").ravel(),
        }
    )


def peer_training(size, kind, targets=None):
    """`steps` steps; a call sets its trainer up anew, which takes little of them.

    Its DeepAR learns from one step after each window by default, ours from all steps
    of context and horizon; `targets` says from how many theirs shall.
    """
    forecast = peer_model(size, kind, **({"h_train": targets} if targets else {}))
    frame = peer_frame(read(size)[:8640].T)
    forecast.fit(frame)
    return lambda: forecast.fit(frame, use_init_models=False)


def peer_prediction(size, kind):
    """Forecasts of all histories."""
    forecast = peer_model(replace(size, steps=1), kind)
    frame = peer_frame(histories(size))
    forecast.fit(peer_frame(read(size)[:1000].T))
    return lambda: forecast.predict(df=frame)
