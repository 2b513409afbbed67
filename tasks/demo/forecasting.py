"""The forecaster: two days ahead with intervals, and how it did on earlier days."""

import numpy as np

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "forecasting_lstm.m4_hourly"
SERIES = DATA / "etth1_excerpt.csv"
HORIZON = 48


def show(output):
    """Writes `forecast.png`."""
    forecaster = load(MODEL)
    heading(f"{SERIES.name}: oil temperature of a transformer, two days ahead")
    temperatures = np.genfromtxt(SERIES, delimiter=",", names=True)["OT"]
    forecast = forecaster.predict(temperatures, horizon=HORIZON)
    print(forecast)
    picture(
        output / "forecast.png",
        forecast.plot,
        "oil temperature with intervals of 80 %, and the last day repeated",
    )
    heading("Backtest: ten times from the past, against what came")
    print(forecaster.backtest(temperatures, windows=10, refit="never"))
