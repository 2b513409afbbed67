"""Scores of random forecasts by other libraries, for `test_forecasts.py`.

Writes `forecast_golden.json` beside itself; run it where its imports are installed:

    pip install utilsforecast scoringrules
    python tests/tasks/metrics/forecast_golden.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("forecast_golden.json")
SEASON = 4
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def data():
    """Random histories, truth, point forecasts, quantiles and samples."""
    random = np.random.default_rng(5)
    series, time, horizon = 6, 40, 7
    history = random.gamma(3.0, 2.0, (series, time)) + 1.0
    actual = random.gamma(3.0, 2.0, (series, horizon)) + 1.0
    mean = actual + random.normal(0.0, 2.0, actual.shape)
    samples = mean + random.normal(0.0, 2.0, (50, *actual.shape))
    quantiles = {level: np.quantile(samples, level, axis=0) for level in LEVELS}
    return history, actual, mean, quantiles, samples


def frame(actual, **columns):
    """The long form that utilsforecast takes."""
    import pandas

    series, horizon = actual.shape
    ids, steps = np.meshgrid(np.arange(series), np.arange(horizon), indexing="ij")
    columns = {"unique_id": ids, "ds": steps, "y": actual, **columns}
    return pandas.DataFrame({name: x.ravel() for name, x in columns.items()})


def scores():
    import scoringrules
    import utilsforecast.losses as losses

    history, actual, mean, quantiles, samples = data()
    names = {level: f"q{level}" for level in LEVELS}
    table = frame(actual, model=mean, **{names[q]: x for q, x in quantiles.items()})
    train = frame(history)
    found = {
        name: float(getattr(losses, name)(table, ["model"])["model"].mean())
        for name in ("mse", "mae", "smape")
    }
    for name in ("mase", "rmsse"):
        score = getattr(losses, name)(table, ["model"], SEASON, train)
        found[name] = float(score["model"].mean())
    for level, name in names.items():
        score = losses.quantile_loss(table, {"model": name}, level)
        found[f"quantile_loss_{level}"] = float(score["model"].mean())
    models = {"model": [names[level] for level in LEVELS]}
    # A score of each series: one series alone is the measure of its data.
    score = losses.scaled_crps(table, models, np.array(LEVELS))
    found["scaled_crps"] = [float(x) for x in score["model"]]
    bounded = table.rename(columns={"q0.1": "model-lo-80", "q0.9": "model-hi-80"})
    found["coverage"] = float(
        losses.coverage(bounded, ["model"], 80)["model"].mean(),
    )
    crps = scoringrules.crps_ensemble(actual, np.moveaxis(samples, 0, -1))
    found["crps_ensemble"] = float(crps.mean())
    return found


if __name__ == "__main__":
    found = {"scores": scores()}
    found["versions"] = {n: version(n) for n in ("utilsforecast", "scoringrules")}
    PATH.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
