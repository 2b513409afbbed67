"""Writes small files of the present version, for `tests/data/v…`: once, when released.

    python tests/old_files.py

A preset of each task, with its answers; and the state of a run after its first epoch,
with the weights that it had after its last. What is there already is left as it is:
files of a version are never made again.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

import zoo
from tests import distributed

DATA = Path(__file__).with_name("data")
# Captioners hold a net that sees, which is too large for here.
TASKS = [name for name in distributed.TASKS if name != "captioning"]
RUN = "text_classification"


class Stopped(Exception):
    pass


def stop_after(epoch):
    """A callback that ends a run as a kill would, when its next epoch begins."""

    def begin(number, logs=None):
        if number == epoch:
            raise Stopped

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin)


def run(folder=None, callbacks=()):
    """A run of two epochs; returns its weights.

    Args:
        folder: Where it keeps its state, or begins with one.
        callbacks: Keras callbacks.
    """
    make, data, options = distributed.TASKS[RUN]
    keras.utils.set_random_seed(1)
    task = make()
    shown = {"epochs": 2, "batch_size": 20, "verbose": 0, "seed": 3, **options}
    task.fit(data(), resume_dir=folder, callbacks=list(callbacks), **shown)
    return [keras.ops.convert_to_numpy(w) for w in task.training_model.weights]


def write_preset(name, folder):
    """Trains a small task for a moment, and saves it with its answers."""
    make, data, options = distributed.TASKS[name]
    keras.utils.set_random_seed(1)
    task = make()
    task.fit(data(), **{"epochs": 1, "batch_size": 20, "verbose": 0, **options})
    task.show_examples(distributed.inputs(name))
    task.save(folder, float16=True)
    # Answers of what is saved: its weights have been rounded.
    task = zoo.load(folder)
    task.save(folder, float16=True)


def write_run(folder):
    """Keeps the state after the first epoch, and the weights after the last."""
    try:
        run(folder, [stop_after(1)])
    except Stopped:
        np.savez_compressed(folder / "ended.npz", *run())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args(arguments)
    version = DATA / f"v{zoo.VERSION}"
    for name in TASKS:
        if not (version / name).exists():
            write_preset(name, version / name)
            print(version / name)
    if not (version / "run").exists():
        write_run(version / "run")
        print(version / "run")


if __name__ == "__main__":
    main()
