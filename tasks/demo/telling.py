"""How the demo tells what it does: headings, loading, pictures."""

import time
from pathlib import Path

import zoo

DATA = Path(__file__).with_name("data")


def heading(text):
    print(f"\n== {text} ==", flush=True)


def load(name, **overrides):
    """`zoo.load`, told."""
    options = "".join(f", {key}={value}" for key, value in overrides.items())
    heading(f'zoo.load("{name}"{options})')
    started = time.perf_counter()
    task = zoo.load(name, **overrides)
    seconds = time.perf_counter() - started
    print(f"{task.model.count_params():,} parameters, loaded in {seconds:.1f} s")
    return task


def picture(path, plot, what):
    """Saves the figure that `plot` makes; says so if there is no matplotlib."""
    try:
        figure = plot()
    except ImportError as error:
        print(f"no picture: {error}")
        return
    figure.savefig(path, dpi=150)
    print(f"wrote {path}: {what}")
