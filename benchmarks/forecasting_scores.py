"""Scores of the forecaster and its peers on every test window of ETTh1.

Part of `forecasting.py --scores`: all train for as many steps on as many windows, and
none of them is tuned. Each has a process of its own: TensorFlow and another folder's
torch do not get along in one.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from forecasting_contestants import (
    KINDS,
    peer_frame,
    peer_model,
    read,
    zoo_forecaster,
)


def score_all(size, steps):
    """MSE and MAE of each on standardised data, 96 hours ahead."""
    size, found = replace(size, steps=steps), {"seasonal naive": naive_scores(size)}
    print("seasonal naive", found["seasonal naive"], flush=True)
    for kind in KINDS:
        for name, score in (("zoo", zoo_scores), ("neuralforecast", peer_scores)):
            found[f"{name} {kind}"] = apart(score, size, kind)
            print(name, kind, found[f"{name} {kind}"], flush=True)
    return found


def apart(function, *args):
    """What a function returns, called in a new process.

    Raises:
        concurrent.futures.process.BrokenProcessPool: If the process dies.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def test_rows(size):
    """Rows that forecasts of the test windows are made from, and their splits."""
    from tasks.data.forecasting_sets import ETT_SPLITS

    first, last = ETT_SPLITS["test"]
    return read(size)[first - size.context : last]


def windows_of(size, values):
    """Contexts and futures of all windows: `(windows, steps, channels)` each."""
    import numpy as np

    count = len(values) - size.context - size.horizon + 1
    places = np.arange(count)[:, None]
    return (
        values[places + np.arange(size.context)],
        values[places + size.context + np.arange(size.horizon)],
    )


def naive_scores(size):
    import numpy as np

    context, future = windows_of(size, test_rows(size))
    return errors(future, context[:, -24 + np.arange(size.horizon) % 24])


def errors(truth, mean):
    from tasks.metrics import forecasts as metrics

    return {"mse": metrics.mse(truth, mean), "mae": metrics.mae(truth, mean)}


def zoo_scores(size, kind):
    import keras

    keras.utils.set_random_seed(1)
    forecaster = zoo_forecaster(size, kind)
    per_epoch = min(size.steps, 50) * size.windows
    forecaster.fit(
        list(read(size)[:8640].T),
        epochs=-(-size.steps * size.windows // per_epoch),
        windows_per_epoch=per_epoch,
        batch_size=size.windows,
        seed=1,
        verbose=0,
    )
    context, future = windows_of(size, test_rows(size))
    rows = context.swapaxes(1, 2).reshape(-1, size.context)
    mean = forecaster.predict(list(rows)).median[..., 0]
    mean = mean.reshape(len(future), -1, size.horizon).swapaxes(1, 2)
    return errors(future, mean)


def peer_scores(size, kind):
    from tasks.data.forecasting_sets import ETT_SPLITS

    last = ETT_SPLITS["test"][1]
    test = last - ETT_SPLITS["test"][0]
    # Their windows of validation lie before the test rows, and are not trained on.
    held = ETT_SPLITS["validation"][1] - ETT_SPLITS["validation"][0]
    forecast = peer_model(size, kind, random_seed=1)
    table = forecast.cross_validation(
        df=peer_frame(read(size)[:last].T),
        val_size=held,
        test_size=test,
        n_windows=None,
        step_size=1,
    )
    names = ("unique_id", "ds", "cutoff", "y")
    # The median where there is one, as ours.
    named = [c for c in table.columns if c not in names]
    median = [c for c in named if c.endswith("-median")] or named
    truth, mean = (table[c].to_numpy("float64")[None] for c in ("y", median[0]))
    return errors(truth, mean)
