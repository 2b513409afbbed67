"""Forecasts of a random series by statsforecast, for `test_naive.py`.

Writes `naive_golden.json` beside itself; run it where its import is installed:

    pip install statsforecast
    python tests/tasks/forecast/naive_golden.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("naive_golden.json")
SEASON, HORIZON, COVERED = 4, 10, 80


def series():
    """A season, a trend, and noise; positive."""
    random = np.random.default_rng(3)
    time = np.arange(39)
    season = np.tile([1.0, 3.0, 2.0, 5.0], 10)[:39]
    return 10 + 0.3 * time + season + random.normal(0, 0.5, 39)


def forecasts():
    from statsforecast import models
    from statsmodels.tsa.seasonal import seasonal_decompose

    methods = {
        "naive": models.Naive(),
        "seasonal_naive": models.SeasonalNaive(SEASON),
        "drift": models.RandomWalkWithDrift(),
    }
    found = {}
    for name, model in methods.items():
        answer = model.forecast(y=series(), h=HORIZON, level=[COVERED])
        found[name] = {part: list(map(float, x)) for part, x in answer.items()}
    parts = seasonal_decompose(series(), "multiplicative", period=SEASON)
    found["seasonal_indices"] = list(map(float, parts.seasonal[:SEASON]))
    return found


if __name__ == "__main__":
    found = {"forecasts": forecasts()}
    found["versions"] = {n: version(n) for n in ("statsforecast", "statsmodels")}
    PATH.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
