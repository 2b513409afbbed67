"""What training needs beside the model: schedules, and runs that survive a kill."""

import hashlib
import io
import json
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops

_SUFFIX = ".checkpoint"


class Resume(keras.callbacks.Callback):
    """Saves the whole state of a run after each epoch, and picks it up again.

    The state is that of the model's variables (random generators are among them), of
    the optimizer, and of the epoch. A file is written beside, then moved into place,
    and carries its checksum: a kill at any moment, or a damaged file, costs one epoch
    at most. The last two files are kept.

    Args:
        folder: Where to keep them; made if missing.

    Example: `resume = Resume(folder)`, then
    `model.fit(..., initial_epoch=resume.restore(model), callbacks=[resume])`.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def restore(self, model):
        """Loads the newest sound state into a compiled model; returns its epoch.

        Returns 0 where there is none yet.

        Raises:
            ValueError: If a state is there but belongs to another model.
        """
        model.optimizer.build(model.trainable_variables)
        epoch = 0
        for path in sorted(self.folder.glob(f"*{_SUFFIX}"), reverse=True):
            state = _read(path)
            if state is None:
                print(f"{path} is damaged; falling back to the state before it.")
                continue
            epoch, arrays = state
            _assign(_variables(model), arrays, path)
            break
        return epoch

    def on_epoch_end(self, epoch, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = [ops.convert_to_numpy(v) for v in _variables(self.model)]
        stream = io.BytesIO()
        np.savez(stream, *arrays)
        body = stream.getvalue()
        head = {"epoch": epoch + 1, "sha256": hashlib.sha256(body).hexdigest()}
        path = self.folder / f"{epoch + 1:06d}{_SUFFIX}"
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        for old in sorted(self.folder.glob(f"*{_SUFFIX}"))[:-2]:
            old.unlink()


def _variables(model):
    # `model.variables` includes the states of random generators, weights do not.
    return [*model.variables, *model.optimizer.variables]


def _read(path):
    head, _, body = path.read_bytes().partition(b"\n")
    try:
        head = json.loads(head)
        sound = hashlib.sha256(body).hexdigest() == head["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    if not sound:
        return None
    with np.load(io.BytesIO(body)) as arrays:
        return head["epoch"], [arrays[name] for name in arrays.files]


def _assign(variables, arrays, path):
    shapes = [tuple(v.shape) for v in variables]
    if shapes != [a.shape for a in arrays]:
        raise ValueError(
            f"{path} belongs to a model of another size. Give this run a folder of "
            "its own, or remove that one."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


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
        score: Function without arguments that returns a number, higher is better.
        name: What the score is called in the logs.
        patience: Epochs without a better score after which to stop; `None` never.
    """

    def __init__(self, score, name="val_f1", patience=None):
        super().__init__()
        self.score, self.name, self.patience = score, name, patience
        self.best, self.best_epoch, self._weights = None, None, None

    def on_epoch_end(self, epoch, logs=None):
        value = float(self.score())
        if logs is not None:
            logs[self.name] = value
        if self.best is None or value > self.best:
            self.best, self.best_epoch = value, epoch
            self._weights = self.model.get_weights()
        elif self.patience is not None and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self._weights is not None:
            self.model.set_weights(self._weights)
