"""What training needs beside the model: schedules, and runs that survive a kill."""

import hashlib
import io
import json
import math
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops

_SUFFIX = ".checkpoint"


class Resume(keras.callbacks.Callback):
    """Saves the whole state of a run after each epoch, and picks it up again.

    The state is that of the model's variables (random generators are among them), of
    the optimizer, of `BestWeights`, of the logs, and of the epoch. A file is written
    beside, then moved into place, and carries its checksum: a kill at any moment, or a
    damaged file, costs one epoch at most. The last two files are kept.

    Args:
        folder: Where to keep them; made if missing.
        settings: Dict of plain values that a run which goes on must share.
        best: The run's `BestWeights`, if it has one.

    Attributes:
        stopped: Whether the restored run had come to its end early.

    Example: `resume = Resume(folder)`, then
    `model.fit(..., initial_epoch=resume.restore(model), callbacks=[resume])`, with
    `resume` as the last callback, so that it sees the logs of all others.
    """

    def __init__(self, folder, settings=None, best=None):
        super().__init__()
        self.folder = Path(folder)
        self.settings, self.best = dict(settings or {}), best
        self.stopped, self._logs = False, []

    def restore(self, model):
        """Loads the newest sound state into a compiled model; returns its epoch.

        Returns 0 where there is none yet.

        Raises:
            ValueError: If a state is there but belongs to another model or run, or
                all states are damaged.
        """
        model.optimizer.build(model.trainable_variables)
        paths = sorted(self.folder.glob(f"*{_SUFFIX}"), reverse=True)
        for path in paths:
            state = _read(path)
            if state is not None:
                return self._take_up(model, path, *state)
            print(f"{path} is damaged; falling back to the state before it.")
        if paths:
            raise ValueError(
                f"No state in {self.folder} is sound. Remove the folder to start the "
                "run anew."
            )
        return 0

    def _take_up(self, model, path, head, arrays):
        advice = "Give this run a folder of its own, or remove that one."
        for name, value in self.settings.items():
            if head["settings"].get(name) != value:
                raise ValueError(
                    f"{path} belongs to another run: `{name}` was "
                    f"{head['settings'].get(name)!r}, now it is {value!r}. {advice}"
                )
        variables = _variables(model)
        shapes = [tuple(v.shape) for v in variables]
        if shapes != [a.shape for a in arrays[: head["variables"]]]:
            raise ValueError(f"{path} belongs to a model of another size. {advice}")
        for variable, array in zip(variables, arrays, strict=False):
            variable.assign(array)
        if self.best is not None:
            self.best.set_state(head["best"], arrays[head["variables"] :])
        self.stopped, self._logs = head["stopped"], head["logs"]
        return head["epoch"]

    def on_epoch_end(self, epoch, logs=None):
        self._logs.append({name: float(x) for name, x in (logs or {}).items()})
        arrays = [ops.convert_to_numpy(v) for v in _variables(self.model)]
        head = {
            "epoch": epoch + 1,
            "settings": self.settings,
            "variables": len(arrays),
            "stopped": bool(self.model.stop_training),
            "logs": self._logs,
        }
        if self.best is not None:
            head["best"], weights = self.best.get_state()
            arrays += weights
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / f"{epoch + 1:06d}{_SUFFIX}", head, arrays)
        for old in sorted(self.folder.glob(f"*{_SUFFIX}"))[:-2]:
            old.unlink()

    def on_train_end(self, logs=None):
        # The history is that of the whole run, epochs before the restart too.
        names = dict.fromkeys(name for row in self._logs for name in row)
        self.model.history.epoch = list(range(len(self._logs)))
        self.model.history.history = {
            name: [row[name] for row in self._logs if name in row] for name in names
        }


def _variables(model):
    # `model.variables` includes the states of random generators, weights do not.
    return [*model.variables, *model.optimizer.variables]


def _write(path, head, arrays):
    stream = io.BytesIO()
    np.savez(stream, *arrays)
    body = json.dumps(head).encode() + b"\n" + stream.getvalue()
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _read(path):
    """Head and arrays of a state; `None` if anything in the file was changed."""
    digest, _, body = path.read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    head, _, body = body.partition(b"\n")
    with np.load(io.BytesIO(body)) as arrays:
        return json.loads(head), [arrays[name] for name in arrays.files]


def warm_up_and_decay(learning_rate, steps, warm_up=0.05):
    """A schedule: up in a line, then down with a cosine to a tenth.

    Args:
        learning_rate: The highest rate.
        steps: Number of optimizer steps of the whole run.
        warm_up: Part of the steps that go up.
    """
    first = max(1, int(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 10,
        warmup_target=learning_rate,
        warmup_steps=first,
        decay_steps=max(1, steps - first),
        alpha=0.1,
    )


def reseed(model, seed):
    """Gives each random generator of a model a state of its own that `seed` decides."""
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for number, state in enumerate(states):
        state.assign([seed, number])


class BestWeights(keras.callbacks.Callback):
    """Scores a task after each epoch, and keeps the weights of the best one.

    Args:
        score: Function without arguments that returns a number.
        name: What the score is called in the logs.
        patience: Epochs without a better score after which to stop; `None` never.
        lower: Whether lower scores are better.
    """

    def __init__(self, score, name="val_f1", patience=None, lower=False):
        super().__init__()
        self.score, self.name, self.patience = score, name, patience
        self.lower = lower
        self.best, self.best_epoch, self._weights = None, None, None

    def get_state(self):
        """Plain values, and a list of arrays: all that a run needs to go on."""
        values = {"best": self.best, "best_epoch": self.best_epoch}
        return values, list(self._weights)

    def set_state(self, values, weights):
        """Takes up what `get_state` returned."""
        self.best, self.best_epoch = values["best"], values["best_epoch"]
        self._weights = weights

    def on_epoch_end(self, epoch, logs=None):
        value = float(self.score())
        if logs is not None:
            logs[self.name] = value
        if self._better(value):
            self.best, self.best_epoch = value, epoch
            self._weights = self.model.get_weights()
        elif self.patience is not None and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def _better(self, value):
        if self.best is None or math.isnan(self.best):
            return True
        return value < self.best if self.lower else value > self.best

    def on_train_end(self, logs=None):
        if self._weights is not None:
            self.model.set_weights(self._weights)
