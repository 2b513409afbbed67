"""The forecaster: a day ahead with intervals, and how it did on days it never saw."""

from tasks.demo.telling import DATA, heading, load, picture

MODEL = "forecasting_segment_gru.etth1"
SERIES = DATA / "etth1_excerpt.csv"
HORIZON, CHANNEL = 96, "OT"


def show(output):
    """Writes `forecast.png`."""
    forecaster = load(MODEL)
    heading(f"{SERIES.name}: an electricity transformer, four days ahead")
    forecast = forecaster.predict(SERIES, horizon=HORIZON)
    print(forecast)
    picture(
        output / "forecast.png",
        lambda: forecast.plot(channel=CHANNEL),
        "oil temperature with intervals of 80 %, and the last day repeated",
    )
    heading("Backtest: five times from the past, against what came")
    print(forecaster.backtest(SERIES, horizon=HORIZON, windows=5))
