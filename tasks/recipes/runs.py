"""Runs of a recipe over seeds and variants, and the model card they end in."""

import argparse
import functools
import json
import os
import platform
import statistics
import time
from pathlib import Path

import keras

import zoo
from zoo.cards import Card


class Runs:
    """Results of runs, one JSON file; a run that is in it is not done again.

    Args:
        folder: Where `results.json` is kept, and each run's own folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "results.json"
        self.results = {}
        if self.path.exists():
            self.results = json.loads(self.path.read_text("utf-8"))

    def run(self, variant, seed, train):
        """Does a run unless it was done: `train(folder, seed)` returns its scores."""
        key = f"{variant}/{seed}"
        if key not in self.results:
            start = time.time()
            keras.utils.set_random_seed(seed)
            folder = self.folder / variant.replace(" ", "_") / str(seed)
            scores = train(folder, seed)
            scores["seconds"] = round(time.time() - start)
            self.results[key] = scores
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps(self.results, indent=1), "utf-8")
            os.replace(partial, self.path)
            told = next(iter(scores.items()))
            print(
                f"{key}: {told[0]} {told[1]:.4f} in {scores['seconds']} s", flush=True
            )
            # Each run traces functions of its own; without this they pile up.
            keras.backend.clear_session()
        return self.results[key]

    def summary(self, variant):
        """Mean, standard deviation and values of each score over the seeds."""
        runs = {
            int(key.rpartition("/")[2]): scores
            for key, scores in self.results.items()
            if key.rpartition("/")[0] == variant
        }
        seeds = sorted(runs)
        return {
            name: {
                "mean": round(statistics.mean(runs[s][name] for s in seeds), 4),
                "std": round(_std([runs[s][name] for s in seeds]), 4),
                "seeds": seeds,
                "values": [round(runs[s][name], 4) for s in seeds],
            }
            for name in sorted(set.intersection(*(set(r) for r in runs.values())))
        }

    def variants(self):
        """Names of the variants that have results, in the order they came."""
        return list(dict.fromkeys(key.rpartition("/")[0] for key in self.results))


def add_arguments(parser, variants, epochs, learning_rate):
    """Adds what all recipes with variants take."""
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=list(variants),
        metavar="NAME",
        default=list(variants),
        help=f"beside the first (default: all): {', '.join(variants)}",
    )
    parser.add_argument(
        "--ablation-seeds", type=int, nargs="*", default=[1], help="of other variants"
    )
    parser.add_argument(
        "--ablation-epochs",
        type=int,
        metavar="N",
        help="of the other variants; the first is then trained with as few once more, "
        "beside them (default: --epochs)",
    )


def run_variants(runs, variants, args, train):
    """Runs the variants asked for: the first with each seed, the others with fewer.

    Those that are trained for another number of epochs have it in their names.

    Args:
        runs: `Runs`.
        variants: Dict from name to `Variant`.
        args: Parsed arguments, with `seeds`, `variants`, `ablation_seeds` and
            `ablation_epochs`.
        train: Function `(args, variant, folder, seed)` that returns scores.
    """
    first, *others = variants
    for seed in args.seeds:
        runs.run(first, seed, functools.partial(train, args, variants[first]))
    short = args
    if args.ablation_epochs:
        short = argparse.Namespace(**{**vars(args), "epochs": args.ablation_epochs})
        others = list(variants)
    for name in others:
        used, told = args, name
        # What is not trained, but asked in another way, needs the first as it is.
        if short is not args and getattr(variants[name], "trained", True):
            passes = "pass" if short.epochs == 1 else "passes"
            used, told = short, f"{name}, {short.epochs} {passes}"
        for seed in args.ablation_seeds if name in args.variants else ():
            runs.run(told, seed, functools.partial(train, used, variants[name]))


def fit(task, args, data, folder, seed, **more):
    """Trains a task as all recipes do; returns Keras' history.

    Args:
        task: The task.
        args: Parsed arguments, with `epochs` and `learning_rate`.
        data: Dict with `"train"` and `"dev"`.
        folder: Where the run keeps its state.
        seed: Seed of the run.
        **more: Further arguments of the task's `fit`.
    """
    return task.fit(
        data["train"],
        data["dev"],
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        seed=seed,
        verbose=2,
        resume_dir=folder / "state",
        **more,
    )


def run_recipe(args, recipe, data, train, *, best, key, baseline, **shown_as):
    """Trains all variants, and publishes the task that is best on development data.

    Args:
        args: Parsed arguments.
        recipe: The recipe's module, with `NAME`, `VARIANTS`, `FRONT` and `EXAMPLES`;
            the card's text lies beside it.
        data: Dict with `"test"`.
        train: Function `(args, variant, folder, seed)` that saves a task as `preset`
            in the folder, and returns its scores.
        best: `min` or `max`.
        key: Name of the score of development data to choose a seed by.
        baseline: Function from the task to the dict of scores of something naive.
        **shown_as: `score`, `scores` and `percent` of `publish`.
    """
    output = Path(args.output)
    runs = Runs(output / "runs")
    run_variants(runs, recipe.VARIANTS, args, train)
    seed = best(args.seeds, key=lambda s: runs.results[f"full/{s}"][key])
    task = zoo.load(runs.folder / "full" / str(seed) / "preset")
    task.show_examples(recipe.EXAMPLES)
    publish(
        recipe.NAME,
        output,
        runs,
        task,
        lambda task: task.evaluate(data["test"]),
        front=recipe.FRONT,
        body=Path(recipe.__file__).with_suffix(".md"),
        baseline=baseline(task),
        **shown_as,
    )


def _std(values):
    return statistics.stdev(values) if len(values) > 1 else 0.0


def table(runs, scores=("f1", "precision", "recall"), percent=True):
    """Markdown table of all variants: mean and spread of each score over seeds.

    Args:
        runs: `Runs`.
        scores: Names of the columns.
        percent: Whether scores are fractions to be shown in percent.
    """
    head = ["Variant", *scores, "seeds"]
    rows = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for variant in runs.variants():
        summary = runs.summary(variant)
        count = len(summary[scores[0]]["seeds"])
        cells = [_cell(summary[score], count, percent) for score in scores]
        rows.append(f"| {variant} | {' | '.join(cells)} | {count} |")
    return "\n".join(rows)


def shown(value, percent=True):
    """A score as text: one decimal in percent, else three digits or more."""
    if percent:
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def spread(values, percent=True):
    """Mean and standard deviation of scores as text, see `shown`."""
    mean = shown(statistics.mean(values), percent)
    return mean if len(values) == 1 else f"{mean} ± {shown(_std(values), percent)}"


def _cell(score, count, percent):
    mean = shown(score["mean"], percent)
    return mean if count == 1 else f"{mean} ± {shown(score['std'], percent)}"


def hardware():
    """One line about this machine."""
    return (
        f"{os.cpu_count()} CPU cores ({platform.machine()}), no accelerator; "
        f"Keras {keras.__version__} on {keras.backend.backend()}"
    )


def publish(
    name, output, runs, task, evaluate, *, front, body, baseline, score, scores, percent
):
    """Saves a trained task as a preset, with a card that holds all results.

    Args:
        name: Name of the model, and of the folder inside of `output`.
        output: Folder of the recipe's run, with the task of each seed.
        runs: `Runs`; the variant `"full"` is the one to publish.
        task: The task to publish.
        evaluate: Function from a task to its test scores.
        front: Dict of front matter that the results do not give.
        body: Path of the card's text; `{table}` is where the results go, `{shipped}`
            the test score of this task, `{name}` the name.
        baseline: Dict of the scores of something naive.
        score: Name of the score that `{shipped}` shows.
        scores: Names of the scores that the table shows.
        percent: Whether scores are fractions to be shown in percent.

    Returns:
        The folder.
    """
    summary = runs.summary("full")
    # A card names its most important score first.
    names = [score, *(k for k in summary if k not in (score, "seconds"))]
    data = {
        "name": name,
        "task": task.task,
        "metrics": {k: summary[k] for k in names},
        "baseline": {k: round(v, 4) for k, v in baseline.items() if k != "seconds"},
        "parameters": int(task.model.count_params()),
        "size_bytes": 0,
        "command": f"zoo train {name} --data-dir DIR",
        "hardware": hardware(),
        "seconds": int(sum(r["seconds"] for r in runs.results.values())),
        **front,
    }
    text = body.read_text("utf-8").replace("{table}", table(runs, scores, percent))
    text = text.replace("{name}", name)
    text = text.replace("{shipped}", shown(evaluate(task)[score], percent))
    folder = Path(output) / name
    # Twice: the size is known once the folder is there, and examples are those of the
    # weights as they are stored.
    for _ in range(2):
        task.save(folder, card=Card.build(data, text), float16=True)
        sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        data["size_bytes"] = sum(sizes)
        task = zoo.load(folder)
    saved = evaluate(task)[score]
    print(
        f"{folder}: {score} {saved:.4f} in half precision, {data['size_bytes']} bytes"
    )
    return folder
