"""The forecaster: two days ahead with intervals, and how it did on earlier days."""

import numpy as np

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "forecasting_lstm.m4_hourly"
SERIES = DATA / "etth1_excerpt.csv"
HORIZON = 48


def show(output, quick=False):
    """Writes `forecast.png`."""
    forecaster = load(MODEL)
    heading(f"{SERIES.name}: loads and oil temperature of a transformer")
    table = np.genfromtxt(SERIES, delimiter=",", names=True)
    series = [table[name] for name in table.dtype.names[1:]]
    forecast = forecaster.predict(series, horizon=HORIZON)
    print(forecast)
    picture(
        output / "forecast.png",
        forecast.plot,
        "a load with intervals of 80 %, and the last day repeated",
    )
    if quick:
        return
    heading("Backtest: ten times from the past, against what came")
    print(forecaster.backtest(series, windows=10, refit="never"))
