"""Exchange rates of eight countries beside LSTNet, in its protocol and its measure.

The first 60 % of the days train, the next 20 % choose the epoch, the last 20 % are
scored: every one of their days is foretold from 3, 6, 12 and 24 days before. The root
relative squared error (RSE) and the mean correlation (CORR) are those of the paper.
LSTNet has a model for each horizon; here one foretells all 24 days. The last value,
repeated, stands beside: exchange rates are nearly random walks, and it beats LSTNet.

LSTNet's figures are those of table 2 of [Lai et al.](https://arxiv.org/abs/1703.07015).
"""

import argparse
import os
import statistics
from pathlib import Path

from harness import write

HORIZONS = (3, 6, 12, 24)
LSTNET = {3: 0.0226, 6: 0.0280, 12: 0.0356, 24: 0.0449}
OPTIONS = dict(
    context_length=96,
    channels=8,
    layer="gru",
    units=32,
    head="mse",
    normalization="last",
    transform="standard",
    segment_length=12,
    dropout=0.1,
)


def read(data_dir):
    """Values `(days, countries)`, and the rows of the splits."""
    from tasks.data.forecasting_sets import exchange_rate_splits, read_exchange_rate

    values = read_exchange_rate(data_dir).values
    return values, exchange_rate_splits(len(values))


def scores(values, rows, forecast):
    """RSE and CORR at each horizon.

    Args:
        values: Array `(days, countries)`.
        rows: First of the days to score, and the one after the last.
        forecast: Function from `(first, last, horizon)` to what was said of those days
            that many days before, `(days, countries)`.
    """
    import numpy as np

    from tasks.metrics.forecasts import rse

    truth, found = values[slice(*rows)], {}
    for horizon in HORIZONS:
        said = forecast(*rows, horizon)
        pairs = zip(truth.T, said.T, strict=True)
        corr = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
        found[horizon] = {"rse": rse(truth[None], said[None]), "corr": float(corr)}
    return found


def trained(values, splits, seed, epochs):
    """A forecaster, trained and with the epoch chosen on the validation days."""
    import keras

    from tasks.forecasting import Forecaster

    keras.utils.set_random_seed(seed)
    forecaster = Forecaster(max(HORIZONS), **OPTIONS)
    first, last = splits["validation"]
    forecaster.fit(
        values[: splits["train"][1]],
        validation_data=values[first - OPTIONS["context_length"] : last],
        epochs=epochs,
        learning_rate=1e-3,
        seed=seed,
        verbose=0,
    )
    return forecaster


def from_all_days(forecaster, values, first, last):
    """Forecasts made before each day: `{day: (24, countries)}`."""
    from tasks.data.series import SeriesSet

    days = range(first - max(HORIZONS) + 1, last)
    context = OPTIONS["context_length"]
    windows = [values[day - context : day] for day in days]
    mean = forecaster.predict(SeriesSet.from_any(windows)).mean
    return dict(zip(days, mean, strict=True))


def model_scores(values, splits, seed, epochs):
    """Scores of one seed on the test days."""
    import numpy as np

    said = from_all_days(trained(values, splits, seed, epochs), values, *splits["test"])

    def forecast(first, last, horizon):
        # What comes before day d foretells day d as its first step.
        days = range(first, last)
        return np.array([said[day - horizon + 1][horizon - 1] for day in days])

    return scores(values, splits["test"], forecast)


def repeated(values):
    """The last value, as a forecast for `scores`."""
    return lambda first, last, horizon: values[first - horizon : last - horizon]


def table(content):
    """Lines of text: a row for each contestant."""
    lines = [f"{'RSE':24}" + "".join(f"{h:>18}" for h in HORIZONS)]
    rows = {"LSTNet (published)": {h: f"{x:.4f}" for h, x in LSTNET.items()}}
    naive = content["last_value"]
    rows["last value"] = {h: f"{naive[h]['rse']:.4f}" for h in HORIZONS}
    rows["zoo"] = {
        h: f"{x['mean']:.4f} ± {x['std']:.4f}" for h, x in content["zoo"].items()
    }
    for name, cells in rows.items():
        lines.append(f"{name:24}" + "".join(f"{cells[h]:>18}" for h in HORIZONS))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--name", default="exchange_rate", help="of the result's file")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    values, splits = read(args.data_dir)
    runs = {}
    for seed in args.seeds:
        runs[seed] = model_scores(values, splits, seed, args.epochs)
        shown = ", ".join(f"{h}: {runs[seed][h]['rse']:.4f}" for h in HORIZONS)
        print(f"seed {seed}: RSE {shown}", flush=True)
    spread = {}
    for horizon in HORIZONS:
        found = [run[horizon]["rse"] for run in runs.values()]
        std = statistics.stdev(found) if len(found) > 1 else 0.0
        spread[horizon] = {"mean": statistics.mean(found), "std": std}
    content = {
        "options": OPTIONS,
        "epochs": args.epochs,
        "lstnet": LSTNET,
        "last_value": scores(values, splits["test"], repeated(values)),
        "zoo": spread,
        "runs": runs,
    }
    print(table(content))
    print("written:", write(args.name, content))


if __name__ == "__main__":
    main()
