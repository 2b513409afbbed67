"""Forecaster of hourly series, two days ahead: the hourly part of the M4 competition.

One LSTM for all 414 series reads two weeks in segments of a day; each coming day is a
mixture of the past ones, weighed by it, and what it adds. It learns the competition's
own measure: each series is multiplied by what makes its absolute error its part of the
OWA. The model itself sees every window with mean 0 and variance 1, so its forecasts go
with the units of a series, whatever they are.

Settings were chosen on the last 48 hours of the training data (`--development`); the
test data are scored once for each seed, by a forecaster trained on all training data
for a number of epochs fixed beforehand. Its weights are the mean over the last epochs.
The ensemble is the median of all seeds' forecasts.

Data: folder m4 in --data-dir (Hourly-train.csv and Hourly-test.csv). They have no
licence of their own: for research.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

import zoo
from tasks.data.forecasting_sets import M4_HORIZON, M4_SEASON, read_m4_hourly
from tasks.data.series import SeriesSet
from tasks.forecast import naive
from tasks.forecasting import Forecaster
from tasks.metrics import forecasts as metrics
from tasks.recipes import runs as recipe_runs
from tasks.recipes.weight_mean import WeightMean

NAME = "forecasting_lstm.m4_hourly"
OPTIONS = dict(
    context_length=336,
    layer="zoneout_lstm",
    units=128,
    head="quantiles",
    normalization="instance",
    normalized_loss=False,
    season=M4_SEASON,
    season_copies=True,
    segment_length=M4_SEASON,
    dropout=0.1,
)
# What differs from the options above; the first one is shipped.
VARIANTS = {
    "full": {},
    "one week of context": {"context_length": 168},
    "with zoneout": {"layer_options": {"zoneout_h": 0.05, "zoneout_c": 0.2}},
    "GRU": {"layer": "gru"},
    "each window counts alike": {"normalized_loss": True},
    "no copies of past days": {"season_copies": False},
}
SCORES = ("owa", "smape", "mase", "wql", "coverage_80")
FRONT = {
    "architecture": "ZoneoutLSTM over days, mixture of past days, quantiles",
    "data": ["M4 hourly"],
    "data_licence": "none given by the organisers: research use",
    "licence": "research use only",
    "intended_use": "hourly series with a daily or weekly pattern, two days ahead",
    "limits": "two weeks of history are best; knows no calendar and no holidays",
}


class Data(NamedTuple):
    """What to learn from, and the 48 hours to foretell: lists of arrays."""

    train: list
    truth: np.ndarray


def add_arguments(parser):
    recipe_runs.add_arguments(parser, VARIANTS, 15, 2e-3)
    parser.add_argument("--windows-per-epoch", type=int, default=25_600)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument(
        "--averaged-epochs", type=int, default=5, help="whose weights are averaged"
    )
    parser.add_argument(
        "--development", action="store_true", help="score on held-out training data"
    )


def run(args):
    """Trains all variants; `args.output` holds state, results and the preset."""
    output = Path(args.output)
    data = read_data(args.data_dir, args.development)
    runs = recipe_runs.Runs(output / ("development" if args.development else "runs"))
    for method in ("seasonal_naive", "naive2"):
        runs.run(method, 0, lambda *_, method=method: naive_scores(data, method))
    train = functools.partial(train_one, data=data)
    recipe_runs.run_variants(runs, VARIANTS, args, train)
    add_ensembles(runs, data, VARIANTS, args.seeds)
    print(recipe_runs.table(runs, SCORES[:3], percent=False))
    if not args.development:
        publish(output, runs, data, args)


def read_data(data_dir, development):
    m4 = read_m4_hourly(data_dir)
    if not development:
        return Data(list(m4.train), m4.test)
    truth = np.array([values[-M4_HORIZON:] for values in m4.train])
    return Data([values[:-M4_HORIZON] for values in m4.train], truth)


def owa_weights(train):
    """What makes the absolute error of each series its part of the OWA: an array.

    Half of the error relative to the series' level, as in sMAPE, and half of that
    relative to its seasonal changes, as in MASE, each by its mean for Naive2 as known
    from the last two days of the training data.
    """
    past = [values[:-M4_HORIZON] for values in train]
    last = np.array([values[-M4_HORIZON:] for values in train])
    yardstick = naive.naive2(past, M4_HORIZON, M4_SEASON)
    percentage = metrics.smape(last, yardstick)
    scaled = metrics.mase(last, yardstick, past, M4_SEASON)
    levels = np.array([np.abs(values).mean() for values in train])
    changes = [np.abs(v[M4_SEASON:] - v[:-M4_SEASON]).mean() for v in train]
    return 50 / levels / percentage + 0.5 / np.array(changes) / scaled


def as_series(arrays):
    return SeriesSet.from_any(list(arrays))


def train_one(args, variant, folder, seed, *, data):
    """Trains one variant with one seed; saves it, and returns its scores."""
    options = {**OPTIONS, **variant}
    forecaster = Forecaster(M4_HORIZON, **options)
    factors = owa_weights(data.train)
    if options["normalized_loss"]:
        factors = np.ones(len(factors))
    first = args.epochs - args.averaged_epochs
    mean = WeightMean(forecaster.model, folder / "weights", first)
    forecaster.fit(
        as_series(v * f for v, f in zip(data.train, factors, strict=True)),
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        windows_per_epoch=args.windows_per_epoch,
        seed=seed,
        verbose=2,
        resume_dir=folder / "state",
        callbacks=[mean],
    )
    mean.apply()
    # Who trains it further has series as they are, to count alike.
    plain = Forecaster(M4_HORIZON, **{**options, "normalized_loss": True})
    plain.model.set_weights(forecaster.model.get_weights())
    plain.scaling = forecaster.scaling
    plain.save(folder / "preset")
    forecast = plain.predict(as_series(data.train))
    levels = {f"q{level}": x[..., 0] for level, x in forecast.quantiles.items()}
    np.savez(folder / "forecast.npz", median=forecast.median[..., 0], **levels)
    return scores_of(data, forecast.median[..., 0], forecast.quantiles)


def scores_of(data, median, quantiles=None):
    """OWA, sMAPE and MASE as the competition has them; with quantiles two more."""
    yardstick = naive.naive2(data.train, M4_HORIZON, M4_SEASON)
    scores = {
        "owa": metrics.owa(data.truth, median, yardstick, data.train, M4_SEASON),
        "smape": metrics.smape(data.truth, median),
        "mase": metrics.mase(data.truth, median, data.train, M4_SEASON),
    }
    if quantiles:
        quantiles = {level: x.reshape(median.shape) for level, x in quantiles.items()}
        scores["wql"] = metrics.weighted_quantile_loss(data.truth, quantiles)
        ends = quantiles[0.1], quantiles[0.9]
        scores["coverage_80"] = metrics.coverage(data.truth, *ends)
    return scores


def naive_scores(data, method):
    levels = tuple(i / 10 for i in range(1, 10))
    mean, quantiles = naive.naive_quantiles(
        method, data.train, M4_HORIZON, M4_SEASON, levels
    )
    return scores_of(data, mean, quantiles)


def add_ensembles(runs, data, variants, seeds):
    """Scores the medians over seeds of each variant that has all of them."""
    for name in variants:
        done = all(f"{name}/{seed}" in runs.results for seed in seeds)
        if len(seeds) > 1 and done:
            title = f"{name}, ensemble of seeds {', '.join(map(str, seeds))}"
            runs.run(title, 0, lambda *_, n=name: ensemble(runs, data, n, seeds))


def ensemble(runs, data, name, seeds):
    """Scores of the median, quantile by quantile, of the forecasts of some seeds."""
    parts = []
    for seed in seeds:
        path = runs.folder / name.replace(" ", "_") / str(seed) / "forecast.npz"
        with np.load(path) as file:
            parts.append({key: file[key] for key in file.files})
    middle = {key: np.median([p[key] for p in parts], axis=0) for key in parts[0]}
    median = middle.pop("median")
    return scores_of(data, median, {float(k[1:]): x for k, x in middle.items()})


def evaluate(data, forecaster):
    """Test scores of a forecaster."""
    forecast = forecaster.predict(as_series(data.train))
    return scores_of(data, forecast.median[..., 0], forecast.quantiles)


def example():
    """Three made-up weeks of hours: days and nights, weekends, no one's data."""
    hours = np.arange(504)
    day = np.sin(2 * np.pi * (hours - 8) / 24)
    weekend = (hours // 24) % 7 >= 5
    return np.round(100 + 30 * day * np.where(weekend, 0.5, 1.0), 1).tolist()


def publish(output, runs, data, args):
    """Writes the first seed's forecaster as a preset, with its card."""
    folder = runs.folder / "full" / str(args.seeds[0]) / "preset"
    forecaster = zoo.load(folder)
    forecaster.show_examples([example()])
    recipe_runs.publish(
        NAME,
        output,
        runs,
        forecaster,
        functools.partial(evaluate, data),
        front=FRONT,
        body=Path(__file__).with_suffix(".md"),
        baseline=runs.results["seasonal_naive/0"],
        score="owa",
        scores=SCORES,
        percent=False,
    )
