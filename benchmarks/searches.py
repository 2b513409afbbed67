"""What a search is worth: beside hand-set defaults, and Bayesian beside random.

    python benchmarks/searches.py --data-dir DIR

Two tasks: a tagger on WNUT-17, from its training part alone, and a forecaster of 96
hours on ETTh1. For each, both algorithms search with the same number of trials, each
with several seeds of its own; all choose by the development part. Then the defaults
and the settings that the first search found are trained with fresh seeds, and
scored on the development and the test part, which no search has seen.

A stopped run goes on where it was when it is called again. `--add` searches with the
seeds alone that the results of the same name and budget lack. `--toy` checks the script
in minutes; what it writes means nothing.
"""

import argparse
import functools
import json
import os
import statistics
from pathlib import Path

ALGORITHMS = ("bayesian", "random")
RESULTS = Path(__file__).parent / "results"
# Seeds of the last runs; those of searches are below.
FRESH = (101, 102, 103, 104, 105)
SCORES = {"ner": ("f1", "surface_f1"), "forecasting": ("skill", "mse", "mae")}


def read_ner(data_dir, toy):
    """Training, development and test part of WNUT-17, and what is fixed."""
    from tasks.data.ner import examples_from

    folder = Path(data_dir) / "wnut17"
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    parts = [examples_from(folder / name) for name in names]
    if toy:
        small = {"units": [4, 8], "embedding_dim": 4, "char_encoder": None}
        return [part[:24] for part in parts], {**small, "num_layers": 1}
    return parts, {}


def read_forecasting(data_dir, toy):
    """The months of ETTh1 to learn from, to choose by and to test on."""
    from tasks import SeriesSet
    from tasks.data.forecasting_sets import ETT_SPLITS, read_ett

    found = read_ett(data_dir)
    series = SeriesSet(
        ["ETTh1"], [found.values], [found.times[0]], "h", names=list(found.columns)
    )
    context, horizon = 96, 96
    parts = [
        series.slice(max(0, ETT_SPLITS[name][0] - context), ETT_SPLITS[name][1])
        for name in ("train", "validation", "test")
    ]
    # Fewer dimensions leave more trials to what an algorithm has learned.
    fixed = {"horizon": horizon, "context_length": context, "transform": "standard"}
    fixed |= {"architecture": "segment", "batch_size": 256}
    fixed |= {"schedule": "cosine", "clipnorm": 1.0}
    if toy:
        small = {"units": [2, 4], "layer": "gru"}
        parts = [part.slice(0, 260) for part in parts]
        return parts, {**fixed, **small, "num_layers": 1, "horizon": 12}
    return parts, fixed


READERS = {"ner": read_ner, "forecasting": read_forecasting}


def searches(task, parts, fixed, args):
    """All searches of a task; returns a dict from algorithm to its results."""
    import tuning

    train, held, _ = parts
    # The search whose settings are trained again; of the others curves are wanted.
    first = None if args.earlier else (args.algorithms[0], args.seeds[0])
    return {
        algorithm: [
            tuning.search(
                task,
                train,
                held,
                trials=args.trials,
                algorithm=algorithm,
                overrides={**fixed, "epochs": args.epochs[task]},
                directory=Path(args.output) / task / f"{algorithm}-{seed}",
                seed=seed,
                reruns=2 if (algorithm, seed) == first and not args.toy else 0,
            )
            for seed in args.seeds
        ]
        for algorithm in args.algorithms
    }


def best_so_far(result):
    """The best score on the development part after each trial."""
    objective, found = result.objective, []
    for record in sorted(result.trials.records, key=lambda r: int(r.name)):
        last = found[-1] if found else None
        if record.status == "done" and (
            last is None or objective.better(record.score, last)
        ):
            last = record.score
        found.append(last)
    return found


def trained(task, parts, values, folder, seed):
    """Scores of settings with a fresh seed, on the development and the test part."""
    import keras

    from tuning.sources import FromData, class_named, split

    train, held, test = parts
    cls = class_named(task)
    options, fit = split(cls, values)
    keras.utils.set_random_seed(seed)
    made = FromData(cls).make(train, options)
    made.fit(
        train, held, seed=seed, verbose=0, resume_dir=Path(folder) / "state", **fit
    )
    scores = {}
    for part, data in (("validation", held), ("test", test)):
        found = made.evaluate(data)
        scores |= {f"{part}_{name}": float(found[name]) for name in SCORES[task]}
    return scores


def curves(found):
    """What is kept of all searches: dict from algorithm to their results."""
    return {
        "best_so_far": {
            name: [best_so_far(result) for result in results]
            for name, results in found.items()
        },
        "failed_trials": {
            name: sum(r.status == "failed" for x in results for r in x.trials.records)
            for name, results in found.items()
        },
        "seconds": {
            name: [round(result.seconds) for result in results]
            for name, results in found.items()
        },
    }


def add(earlier, task, parts, fixed, args):
    """Earlier results of a task, with the curves of further searches."""
    found = searches(task, parts, fixed, args)
    space = json.loads(json.dumps(found[args.algorithms[0]][0].space))
    if space != earlier["space"] or set(found) != set(earlier["best_so_far"]):
        raise SystemExit(f"{task}: the earlier searches had another space")
    more = curves(found)
    for name in found:
        for kind in more:
            earlier[kind][name] += more[kind][name]
    return earlier


def compare(task, args):
    """Everything about one task, as plain data."""
    from tasks.recipes.runs import Runs

    parts, fixed = READERS[task](args.data_dir, args.toy)
    if task == "forecasting" and args.forecasting_windows:
        fixed["windows_per_epoch"] = args.forecasting_windows
    if args.earlier:
        return add(args.earlier["tasks"][task], task, parts, fixed, args)
    found = searches(task, parts, fixed, args)
    # What is searched keeps its default, what is fixed for all stays fixed.
    first = found[args.algorithms[0]][0]
    searched = first.space
    defaults = {name: v for name, v in fixed.items() if "fixed" in searched[name]}
    defaults = {**defaults, "epochs": args.epochs[task]}
    runs = Runs(Path(args.output) / task / "again")
    settings = {"defaults": defaults, "found": first.values}
    for name, values in settings.items():
        for seed in args.fresh:
            run = functools.partial(trained, task, parts, values)
            runs.run(name, seed, run)
    return {
        "objective": first.objective.name,
        "space": searched,
        "settings": settings,
        "scores": {name: runs.summary(name) for name in settings},
        **curves(found),
    }


def table(content):
    """Markdown: defaults beside what was found, and both algorithms."""
    lines = []
    for task, found in content["tasks"].items():
        names = [n for n in found["scores"]["defaults"] if n != "seconds"]
        lines += [
            f"| {task} | {' | '.join(names)} |",
            f"|{' --- |' * (len(names) + 1)}",
        ]
        for row, scores in found["scores"].items():
            cells = [f"{scores[n]['mean']:.4f} ± {scores[n]['std']:.4f}" for n in names]
            lines.append(f"| {row} | {' | '.join(cells)} |")
        for name, curves in found["best_so_far"].items():
            last = [curve[-1] for curve in curves if curve and curve[-1] is not None]
            spread = statistics.stdev(last) if len(last) > 1 else 0.0
            lines.append(
                f"\n{name}: best {found['objective']} of {content['trials']} trials "
                f"{statistics.mean(last):.4f} ± {spread:.4f} over {len(last)} seeds"
            )
        lines.append("")
    return "\n".join(lines)


def draw(content, path):
    """Best so far against trials: the mean over seeds, and each seed thin."""
    import numpy as np
    from matplotlib.figure import Figure

    tasks = content["tasks"]
    page = Figure(figsize=(6 * len(tasks), 4), layout="constrained")
    for axes, (task, found) in zip(
        page.subplots(1, len(tasks), squeeze=False)[0], tasks.items(), strict=True
    ):
        colours = ("tab:blue", "tab:orange")
        for name, colour in zip(found["best_so_far"], colours, strict=False):
            curves = np.array(found["best_so_far"][name], "float64")
            trials = np.arange(1, curves.shape[1] + 1)
            axes.plot(trials, curves.T, color=colour, alpha=0.25, linewidth=1)
            axes.plot(trials, curves.mean(0), color=colour, linewidth=2, label=name)
        axes.set(title=task, xlabel="trial", ylabel=f"best {found['objective']} so far")
        axes.legend()
    page.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument("--output", default="runs/searches", metavar="DIR")
    parser.add_argument("--tasks", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument(
        "--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS)
    )
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--fresh", type=int, nargs="+", default=list(FRESH))
    parser.add_argument("--ner-epochs", type=int, default=8)
    parser.add_argument("--forecasting-epochs", type=int, default=6)
    parser.add_argument(
        "--forecasting-windows", type=int, help="of an epoch (default: all)"
    )
    parser.add_argument("--name", default="searches", help="of the result's files")
    parser.add_argument(
        "--add", action="store_true", help="to what the results' file holds"
    )
    parser.add_argument("--toy", action="store_true", help="a minute; means nothing")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args.epochs = {"ner": args.ner_epochs, "forecasting": args.forecasting_epochs}
    if args.toy:
        args.trials, args.seeds, args.fresh = 2, args.seeds[:1], args.fresh[:1]
        args.epochs = dict.fromkeys(args.epochs, 1)
    budget = {
        "trials": args.trials,
        "fresh_seeds": args.fresh,
        "epochs": args.epochs,
        "windows": args.forecasting_windows,
    }
    before, args.earlier = [], None
    if args.add:
        args.earlier = json.loads((RESULTS / f"{args.name}.json").read_text("utf-8"))
        if any(args.earlier.get(key, value) != value for key, value in budget.items()):
            parser.error(f"--add: {args.name}.json comes from another budget")
        before = args.earlier["search_seeds"]
        args.tasks = list(args.earlier["tasks"])
        args.seeds = [seed for seed in args.seeds if seed not in before]
        if not args.seeds:
            parser.error(f"--add: {args.name}.json has these seeds: {before}")
    content = {
        **budget,
        "search_seeds": [*before, *args.seeds],
        "tasks": {task: compare(task, args) for task in args.tasks},
    }
    print(table(content))
    if args.toy:
        draw(content, Path(args.output) / "toy.png")
        print(len(json.dumps(content)), "bytes of JSON, not kept")
        return
    from harness import write

    draw(content, RESULTS / f"{args.name}.png")
    print("written:", write(args.name, content))


if __name__ == "__main__":
    main()
