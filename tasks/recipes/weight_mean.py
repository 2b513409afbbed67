"""The mean of several weights, an ensemble at the price of one: those after the last
epochs of a training, or those of several trainings with one beginning."""

import itertools
import os
from pathlib import Path

import keras
import numpy as np


class WeightMean(keras.callbacks.Callback):
    """Keeps a model's weights after each of the last epochs, in files.

    Files, so that a run that was killed and taken up again has those of before, too.

    Args:
        weights_of: The model whose weights count; that in training by default.
        folder: Where to keep them; made if missing.
        first: Number of the first epoch to keep, from 0.

    Reference:
        - Izmailov et al., [Averaging weights leads to wider optima and better
          generalization](https://arxiv.org/abs/1803.05407), 2018

    Example: `mean = WeightMean(task.model, folder, first=50)`, then
    `task.fit(..., epochs=60, callbacks=[mean])` and `mean.apply()`.
    """

    def __init__(self, weights_of, folder, first):
        super().__init__()
        self.weights_of, self.folder, self.first = weights_of, Path(folder), first

    def on_epoch_end(self, epoch, logs=None):
        if epoch < self.first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{epoch:06d}.npz"
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as file:
            np.savez(file, *self.weights_of.get_weights())
        os.replace(partial, path)

    def apply(self):
        """Gives the model the mean of what was kept; returns of how many epochs.

        Raises:
            ValueError: If nothing was kept.
        """
        paths = sorted(self.folder.glob("*.npz"))
        if not paths:
            raise ValueError(
                f"No weights in {self.folder}: training ended before epoch "
                f"{self.first + 1}."
            )
        self.weights_of.set_weights(_mean(map(_read, paths)))
        return len(paths)


def mean_of(tasks):
    """Gives the first of some tasks the mean of all their weights, and returns it.

    Trainings that begin with the same weights, those of the head too, mostly end within
    one basin, where their mean may be better than any of them. What is not of real
    numbers, as codes or states of generators, stays the first's.

    Args:
        tasks: Iterable of tasks of the same sizes; one is held at a time.

    Reference:
        - Wortsman et al., [Model soups: averaging weights of multiple fine-tuned models
          improves accuracy without increasing inference time](
          https://arxiv.org/abs/2203.05482), 2022
    """
    tasks = iter(tasks)
    first = next(tasks)
    own = first.model.get_weights()
    rest = (task.model.get_weights() for task in tasks)
    mean = _mean(itertools.chain([own], rest))
    first.model.set_weights(
        [m if w.dtype.kind == "f" else w for w, m in zip_all(own, mean)]
    )
    return first


def _read(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def _mean(weights):
    """Mean of some lists of arrays, one list held at a time; in float64."""
    total, count = None, 0
    for arrays in weights:
        arrays, count = [a.astype("float64") for a in arrays], count + 1
        total = arrays if total is None else [a + b for a, b in zip_all(total, arrays)]
    return [a / count for a in total]


def zip_all(one, other):
    """Pairs of two lists that must be as long."""
    return zip(one, other, strict=True)
