"""The mean of the weights after the last epochs: an ensemble at the price of one."""

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
        total = None
        for path in paths:
            with np.load(path) as file:
                arrays = [file[name].astype("float64") for name in file.files]
            total = (
                arrays if total is None else [a + b for a, b in zip_all(total, arrays)]
            )
        self.weights_of.set_weights([a / len(paths) for a in total])
        return len(paths)


def zip_all(one, other):
    """Pairs of two lists that must be as long."""
    return zip(one, other, strict=True)
