"""A task that trains in a moment: a small network fits a curve."""

import os
import signal
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from tasks.task import Task
from tasks.training import BestWeights
from zoo.preset import loadable

X = np.linspace(-1, 1, 48, dtype="float32")
TRAIN = [(float(x), float(x) ** 2) for x in X[::2]]
HELD_OUT = [(float(x), float(x) ** 2) for x in X[1::2]]
TROUBLES = ["none", "not a number", "shape", "memory"]


class Rows(keras.utils.PyDataset):
    """All examples, a few rows at a time."""

    def __init__(self, x, y, batch_size, seed):
        super().__init__()
        self.x, self.y, self.batch_size, self.seed = x, y, batch_size, seed
        self.epoch = 0

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, number):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.x))
        rows = order[number * self.batch_size : (number + 1) * self.batch_size]
        inputs = {"x": self.x[rows], "y": self.y[rows]}
        return inputs, np.zeros(len(rows), "float32")


@loadable
class Curve(Task):
    """Foretells y from x.

    `trouble` makes a trial fail. A score kills the process when the file that the
    environment calls CURVE_STOP is not there.
    """

    task = "curve"
    defaults = dict(units=4, activation="tanh", trouble="none")
    tunable = {
        "units": {"choices": [2, 4, 8]},
        "activation": {"choices": ["tanh", "relu"]},
        "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
    }
    objectives = {"error": "min", "fit": "max"}

    def __init__(self, **options):
        self.options = self._complete(options)
        if self.options["trouble"] == "memory":
            raise MemoryError("no room for the network")
        hidden = layers.Dense(
            self.options["units"], self.options["activation"], name="hidden"
        )
        last = layers.Dense(1, name="last")
        x, y = keras.Input((1,), name="x"), keras.Input((1,), name="y")
        answer = last(hidden(x))
        if self.options["trouble"] == "shape":
            answer = ops.reshape(answer, (-1, 7, 11)) @ ops.ones((3, 5))
        loss = ops.squeeze(ops.square(answer - y), -1)
        if self.options["trouble"] == "not a number":
            loss = loss * float("nan")
        self.model = keras.Model({"x": x}, answer)
        self.training_model = keras.Model({"x": x, "y": y}, loss)

    @classmethod
    def for_data(cls, data, **options):
        return cls(**options)

    def fit(
        self,
        data,
        validation_data=None,
        epochs=2,
        batch_size=8,
        learning_rate=0.01,
        seed=0,
        **run,
    ):
        x, y = _columns(data)
        rows = Rows(x, y, batch_size, seed)
        best = partial(
            BestWeights,
            lambda: self.evaluate(validation_data)["error"],
            "val_error",
            lower=True,
        )
        return self._fit(
            rows,
            rows,
            len(data),
            epochs=epochs,
            learning_rate=learning_rate,
            seed=seed,
            best=best,
            **run,
        )

    def evaluate(self, data):
        stop = os.environ.get("CURVE_STOP")
        if stop is not None and not Path(stop).exists():
            Path(stop).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        x, y = _columns(data)
        found = ops.convert_to_numpy(self.model({"x": x}))
        error = float(np.mean(np.square(found - y)))
        return {"error": error, "fit": 1 - error / float(np.var(y))}


def _columns(data):
    x, y = np.array(data, "float32").T
    return x[:, None], y[:, None]
