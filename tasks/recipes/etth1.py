"""Forecasters of ETTh1, one for each recurrent layer: data, runs, scores, and the card.

The protocol is that of the papers on long horizons: 12, 4 and 4 months of 30 days to
learn from, to choose by and to test on; mean and standard deviation of each channel
from the 12 months; a look-back of 96 hours; every window of the test months, the last
ones too. Scores are mean squared and mean absolute errors of standardised values.

A recurrent layer reads segments of two days, as in SegRNN. The forecaster shipped
answers for 720 hours, and with the first part of its forecast for shorter horizons;
beside it stands a model for each horizon. Settings were chosen by three times of three
or four months within the first 16, each foretold by what came before it
(`--development`).

Data: folder ett in --data-dir.
"""

import functools
from pathlib import Path

import numpy as np

import zoo
from tasks.data.forecasting_sets import ETT_SPLITS, read_ett
from tasks.data.series import SeriesSet
from tasks.forecasting import Forecaster
from tasks.recipes.runs import Runs, add_arguments, publish, run_variants, table
from tasks.recipes.weight_mean import WeightMean

CONTEXT, HORIZONS = 96, (96, 192, 336, 720)
SCORES = [f"{name}_{h}" for h in HORIZONS for name in ("mse", "mae")]
OPTIONS = dict(
    units=128,
    segment_length=48,
    dropout=0.5,
    head="quantiles",
    quantiles=[0.1, 0.25, 0.5, 0.75, 0.9],
    median_leads=True,
    normalization="instance",
    loss_horizons=list(HORIZONS),
)
AVERAGED = 4  # last epochs whose weights are averaged
# Months to learn from and months after them, to choose settings by.
FOLDS = {
    "months 7 to 9": (6, 9),
    "months 10 to 12": (9, 12),
    "months 13 to 16": (12, 16),
}
MONTH = 720
# What differs from the options above; the first one is shipped. `"horizons"` names
# those that have a model of their own.
VARIANTS = {
    "full": {},
    "a model for each horizon": {"horizons": HORIZONS},
    "points, absolute error": {"head": "mae", "median_leads": False},
    "all steps count alike": {"loss_horizons": []},
    "last value subtracted": {"normalization": "last"},
}
FRONT = {
    "data": ["ETTh1"],
    "data_licence": "CC BY-ND 4.0",
    "licence": "Apache-2.0",
    "intended_use": "hourly loads and oil temperatures of electricity transformers; a "
    "start for other hourly series",
    "limits": "learned from one transformer, and 12 months; intervals are not "
    "calibrated on other data",
}


class Recipe:
    """The recipe of one recurrent layer.

    Args:
        name: Name of the model.
        layer: Name of the layer.
        title: What the card says of the architecture.
    """

    def __init__(self, name, layer, title):
        self.NAME, self.FRONT = name, {**FRONT, "architecture": title}
        self.__doc__ = __doc__
        shared = {**OPTIONS, "layer": layer}
        self.VARIANTS = {k: {**shared, **more} for k, more in VARIANTS.items()}

    def add_arguments(self, parser):
        parser.set_defaults(seeds=[1, 2, 3, 4, 5])
        add_arguments(parser, VARIANTS, epochs=8, learning_rate=2e-3)
        parser.add_argument(
            "--development", action="store_true", help="score on earlier months only"
        )

    def run(self, args):
        """Trains all variants; `args.output` holds state, results and the preset."""
        output = Path(args.output)
        if args.development:
            for name, fold in folds(args.data_dir).items():
                print(
                    f"{name}:\n{self.train(args, output / name, fold)[1]}", flush=True
                )
            return
        data = read(args.data_dir)
        runs, shown = self.train(args, output / "runs", data)
        print(shown)
        self.finish(output, runs, data, args)

    def train(self, args, folder, data):
        """Runs all variants on some data; `Runs`, and the table of their scores."""
        runs = Runs(folder)
        train_on = functools.partial(train_one, data=data)
        run_variants(runs, self.VARIANTS, args, train_on)
        return runs, table(runs, SCORES, percent=False)

    def finish(self, output, runs, data, args):
        """Writes the forecaster of the first seed as a preset, with its card."""
        folder = runs.folder / "full" / str(args.seeds[0]) / str(HORIZONS[-1])
        forecaster = zoo.load(folder / "preset")
        forecaster.show_examples([example()])
        publish(
            self.NAME,
            output,
            runs,
            forecaster,
            lambda task: scores_of(task, data["test"], HORIZONS[:1]),
            front=self.FRONT,
            body=Path(__file__).with_suffix(".md"),
            baseline=baseline(data),
            score="mse_96",
            scores=SCORES,
            percent=False,
        )


def read(data_dir):
    """Dict of `SeriesSet` with the rows of each split, and the context before them."""
    series = _whole(data_dir)
    return {
        name: series.slice(max(0, start - CONTEXT), stop)
        for name, (start, stop) in ETT_SPLITS.items()
    }


def folds(data_dir):
    """Dict of what `read` returns for each of `FOLDS`, without the test months."""
    series = _whole(data_dir)
    return {
        name: {
            "train": series.slice(0, first * MONTH),
            "test": series.slice(first * MONTH - CONTEXT, last * MONTH),
        }
        for name, (first, last) in FOLDS.items()
    }


def _whole(data_dir):
    found = read_ett(data_dir)
    return SeriesSet(
        ["ETTh1"], [found.values], [found.times[0]], "h", names=list(found.columns)
    )


def make(horizon, **options):
    """An untrained forecaster of the seven channels."""
    return Forecaster(
        horizon,
        CONTEXT,
        channels=7,
        frequency="h",
        season=24,
        transform="standard",
        # Errors count as in the scores: those of standardised values.
        normalized_loss=False,
        **options,
    )


def train_one(args, variant, folder, seed, *, data):
    """Trains a variant with one seed; saves it, and returns its test scores.

    A single model for all horizons is asked for each, as the first part of its
    forecast; one that has a horizon of its own for that alone.
    """
    options, scores = dict(variant), {}
    own = options.pop("horizons", None)
    for horizon in own or HORIZONS[-1:]:
        if own:  # Those of its own horizon are all there are.
            options["loss_horizons"] = []
        forecaster = make(horizon, **options)
        mean = WeightMean(
            forecaster.model, folder / str(horizon) / "means", args.epochs - AVERAGED
        )
        forecaster.fit(
            data["train"],
            epochs=args.epochs,
            batch_size=7 * 256,
            learning_rate=args.learning_rate,
            seed=seed,
            verbose=2,
            resume_dir=folder / str(horizon) / "state",
            callbacks=[mean],
        )
        mean.apply()
        forecaster.save(folder / str(horizon) / "preset")
        asked = [horizon] if own else HORIZONS
        scores |= scores_of(forecaster, data["test"], asked)
    return scores


def scores_of(forecaster, test, horizons):
    """Errors on the test months at some horizons: a dict of floats."""
    scores = {}
    for horizon in horizons:
        found = forecaster.evaluate(test, horizon=horizon, transformed=True)
        scores |= {f"{name}_{horizon}": found[name] for name in ("mse", "mae")}
        if "coverage_80" in found:
            scores[f"coverage_80_{horizon}"] = found["coverage_80"]
    return scores


def baseline(test):
    """Errors of the day before, repeated."""
    found = {}
    forecaster = make(HORIZONS[-1], units=1, head="mae")
    forecaster.scaling.fit(test["train"])
    for horizon in HORIZONS:
        scores = forecaster.evaluate(
            test["test"], horizon=horizon, transformed=True, batch_size=4096
        )
        for name in ("mse", "mae"):
            found[f"{name}_{horizon}"] = scores[f"naive_{name}"]
    return found


def example():
    """A made-up history of four days: parts of the data may not be shipped."""
    hours = np.arange(CONTEXT)[:, None]
    waves = np.sin(2 * np.pi * (hours + 3 * np.arange(7)) / 24)
    values = [8, 2, 6, 1, 3, 1, 15] + waves * [4, 1, 4, 1, 1, 0.3, 3]
    return np.round(values, 2).tolist()


SEGMENT_GRU = Recipe(
    "forecasting_segment_gru.etth1",
    "gru",
    "GRU over segments, parallel decoding, quantiles",
)
IND_RNN = Recipe(
    "forecasting_ind_rnn.etth1",
    "ind_rnn",
    "IndRNN over segments, parallel decoding, quantiles",
)
