"""What the zoo does, shown in some minutes: a part for each task, on real data."""

import os
import shutil
import sys
import time
from pathlib import Path

from tasks import model_table
from tasks.demo import (
    captioning,
    forecasting,
    listening,
    opinions,
    tagging,
    translating,
    verse,
)
from tasks.demo.telling import heading

PARTS = (tagging, verse, opinions, translating, captioning, listening, forecasting)


def run(output="demo", parts=PARTS, quick=False):
    """Runs the demo and tells what it does.

    Args:
        output: Folder for pages, pictures and the new models, made if missing; what an
            earlier demo left there is replaced.
        parts: Modules with a function `show(output, quick)`, one for each task.
        quick: Whether to leave out what takes long: training, backtests, whole books.

    Raises:
        RuntimeError: If a saved model answers otherwise than the one it was.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    heading("The zoo")
    print(model_table.plain_table(model_table.card_data()))
    for part in parts:
        part.show(output, quick)
    heading(f"Done in {time.perf_counter() - started:.0f} s")
    print(f"Look at the pages and pictures in {output}, or try your own words:")
    sentence = "Grace Hopper found a moth at Harvard."
    print(f'  {_command()} predict {tagging.MODEL} "{sentence}"')
    if not quick:
        print(f'  {_command()} predict {output / "recipes"} "Add two cups of sugar."')


def _command():
    """What to type for `zoo`: `make` puts it where no shell looks for it."""
    beside = Path(sys.executable).with_name("zoo")
    if shutil.which("zoo") or not beside.exists():
        return "zoo"
    return os.path.relpath(beside)
