"""Runs of an experiment: each is done once, kept in a JSON file, and drawn.

A run is known by its variant, its seed and its settings. A script that is started
again goes on where it was: what stands in the file with the same settings is not run
again. Numbers are written here and nowhere by hand.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results" / "papers"


def arguments(description, seeds=(1, 2, 3)):
    """A parser with the options that all experiments share.

    `--quick` shows in a minute that a script works; what it finds means nothing, and
    is kept beside the results, under another name that version control ignores.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--quick", action="store_true", help="a minute, for a look")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results")
    parser.add_argument(
        "--plot-only", action="store_true", help="run nothing, draw what is there"
    )
    return parser


class Runs:
    """The runs of one experiment.

    Args:
        name: Name of the files.
        about: What the experiment is, and what counts as success; for the reader of
            the JSON.
        args: What the parser of `arguments` returned.
    """

    def __init__(self, name, about, args):
        folder = args.out if not args.quick else Path("runs") / "papers"
        self.path = folder / f"{name}.json"
        self.plot_only = args.plot_only
        self.about = about
        self.runs, self.not_run = [], []
        if self.path.exists():
            self.runs = json.loads(self.path.read_text("utf-8"))["runs"]

    def run(self, variant, seed, settings, function):
        """Runs `function(seed)`, unless these settings were run before.

        Args:
            variant: What is compared with what.
            seed: Integer; Keras', NumPy's and Python's generators are seeded with it.
            settings: Dict of plain values that decide the result.
            function: Returns a dict of plain values: numbers are scores, lists are
                curves.

        Returns:
            The run: a dict of `variant`, `seed`, `settings`, `result`, and how long it
            took: `seconds`, and those of a processor, which other work on the machine
            does not stretch.
        """
        import keras

        known = self.find(variant, seed, settings)
        if known or self.plot_only:
            return known
        print(f"{variant}, seed {seed}: {settings}", flush=True)
        keras.utils.set_random_seed(seed)
        start, started = time.perf_counter(), datetime.now(UTC)
        processor = time.process_time()
        result = function(seed)
        run = {
            "variant": variant,
            "seed": seed,
            "settings": plain(settings),
            "date": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(time.process_time() - processor, 1),
            "machine": machine(),
            "backend": keras.backend.backend(),
            "result": plain(result),
        }
        self.runs.append(run)
        self.write()
        scores = {k: v for k, v in run["result"].items() if not isinstance(v, list)}
        print(f"  {run['cpu_seconds']} CPU s: {scores}", flush=True)
        return run

    def find(self, variant, seed, settings):
        """A run that was done before, or `None`."""
        wanted = (variant, seed, plain(settings))
        for run in self.runs:
            if (run["variant"], run["seed"], run["settings"]) == wanted:
                return run
        return None

    def want(self, variant, seeds=3, **settings):
        """Notes, for the reader of the JSON, how many seeds a variant still lacks.

        Args:
            variant: The variant that belongs to the experiment.
            seeds: How many seeds it should have.
            **settings: What its runs must have among their settings.
        """
        wanted = plain(settings).items()
        done = {
            run["seed"]
            for run in self.runs
            if run["variant"] == variant and wanted <= run["settings"].items()
        }
        if len(done) < seeds:
            what = ", ".join([variant, *(f"{k} {v}" for k, v in settings.items())])
            self.not_run.append({"what": what, "seeds": f"{len(done)} of {seeds}"})

    def write(self):
        """Writes the file at once or not at all: a killed run harms nothing."""
        import keras

        packages = ("keras", "numpy", keras.backend.backend())
        content = {
            "about": self.about,
            "command": command(),
            "versions": {name: version(name) for name in packages},
            "summary": summary(self.runs),
            "not_run": self.not_run,
            "runs": self.runs,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        os.replace(beside, self.path)

    def save(self, figure):
        """Writes a figure beside the JSON, under the same name."""
        self.write()
        path = self.path.with_suffix(".png")
        figure.savefig(path, dpi=120)
        print(f"written: {self.path} and {path.name}", flush=True)


def summary(runs):
    """Mean, standard deviation and values of each score, by variant and settings."""
    groups = {}
    for run in runs:
        key = json.dumps([run["variant"], run["settings"]])
        groups.setdefault(key, []).append(run)
    found = []
    for members in groups.values():
        scores = {}
        for name, value in members[0]["result"].items():
            values = [run["result"].get(name) for run in members]
            if isinstance(value, (int, float)) and None not in values:
                scores[name] = spread(values)
        found.append(
            {
                "variant": members[0]["variant"],
                "settings": members[0]["settings"],
                "seeds": [run["seed"] for run in members],
                "cpu_seconds": [run["cpu_seconds"] for run in members],
                "scores": scores,
            }
        )
    return found


def spread(values):
    """Mean and sample standard deviation; that of one value is unknown."""
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "values": values,
    }


def plain(value):
    """Turns NumPy's numbers and tuples into what JSON gives back."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def machine():
    """What ran: processor, the cores this process may use, and the load on them."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text("utf-8").splitlines()
        models = [x.partition(":")[2] for x in lines if x.startswith("model name")]
        name = models[0].strip() if models else name
    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return {"processor": name, "cores": cores, "load": round(os.getloadavg()[0], 1)}


def command():
    """The command line, from the root of the repository, with no path of a machine."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    words = ["DIR" if Path(word).is_absolute() else word for word in words]
    return f"python benchmarks/papers/{' '.join(words)}"


def axes(count, width=5.0, height=3.8):
    """A figure with axes beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def band(axis, runs, x, y, label, color, **options):
    """Draws the curve of each run thin, and their median thick.

    Runs that ended early keep their last value, as they would not have been trained
    further.
    """
    from itertools import zip_longest

    curves = [run["result"][y] for run in runs]
    places = max((run["result"][x] for run in runs), key=len)
    for curve in curves:
        axis.plot(places[: len(curve)], curve, color=color, linewidth=0.7, alpha=0.5)
    held = [
        [*curve, *[curve[-1]] * (len(places) - len(curve))] for curve in curves if curve
    ]
    if len(places) == 1:  # a line of one point cannot be seen
        options.setdefault("marker", "o")
    middle = [statistics.median(values) for values in zip_longest(*held)]
    axis.plot(places, middle, color=color, label=label, linewidth=1.8, **options)
