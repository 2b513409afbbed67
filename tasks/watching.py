"""To see how a run goes, and to stop one that has gone astray."""

import csv
import math
import time
from pathlib import Path

import keras
import numpy as np

from tasks.distributed_values import read, write
from tasks.gradient_norm import NAME
from tasks.profiling import Profile
from tasks.tensorboard import Board

SHOWN = 3  # how many examples are shown as a task learns


class StopAtNaN(keras.callbacks.Callback):
    """Ends a run whose loss is no number any more, with the last good weights.

    Weights are noted as an epoch begins and every so many steps, as long as all of them
    are finite. A state that `tasks.resume.Resume` would save comes after this, so none
    is ever saved with such a loss.

    Args:
        every: Steps from one note to the next.
    """

    def __init__(self, every=100):
        super().__init__()
        self.every = every
        self._weights, self._place = None, "the start"

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._note(f"the start of epoch {epoch + 1}")

    def on_train_batch_end(self, batch, logs=None):
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self._give_back()
            raise FloatingPointError(
                f"The loss became {loss} in step {batch + 1} of epoch "
                f"{self._epoch + 1}. The weights are those at {self._place}. Try a "
                "lower `learning_rate` or `clipnorm`, and look for extreme values in "
                "the data."
            )
        if (batch + 1) % self.every == 0:
            self._note(f"step {batch + 1} of epoch {self._epoch + 1}")

    def _note(self, place):
        weights = [read(v) for v in self.model.weights]
        floats = (w for w in weights if np.issubdtype(w.dtype, np.floating))
        if self._weights is None or all(np.isfinite(w).all() for w in floats):
            self._weights, self._place = weights, place

    def _give_back(self):
        for variable, value in zip(self.model.weights, self._weights, strict=True):
            write(variable, value)


class Throughput(keras.callbacks.Callback):
    """Shows beside the loss how many tokens, or rows, are learned from in a second.

    Args:
        batches: Data whose attribute `sizes` holds the tokens of batches by their
            number, see `tasks.data.pipeline.Counted`; rows are counted if it has none.
        rows: Rows of a batch.
    """

    def __init__(self, batches, rows):
        super().__init__()
        self._sizes, self._rows = getattr(batches, "sizes", None), rows

    def on_epoch_begin(self, epoch, logs=None):
        self._start, self._done, self._first = time.perf_counter(), 0, 0

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch

    def on_train_batch_end(self, batch, logs=None):
        # Several steps in one execution begin with the first and end with the last.
        for step in range(self._first, batch + 1):
            known = self._sizes is not None and step in self._sizes
            self._done += self._sizes.pop(step) if known else self._rows
        if logs is not None:
            name = "rows/s" if self._sizes is None else "tokens/s"
            logs[name] = self._done / max(time.perf_counter() - self._start, 1e-9)


class GradientNorms(keras.callbacks.Callback):
    """Puts the norm of the gradients into the logs: of each step, an epoch's mean.

    Args:
        norm: What `tasks.gradient_norm.watch_gradients` returned.
    """

    def __init__(self, norm):
        super().__init__()
        self._norm, self._seen, self._before = norm, [], []

    def get_state(self):
        """Norms of the steps of an epoch so far."""
        return {"norms": self._seen}

    def set_state(self, values):
        """Takes up what `get_state` returned, for the epoch that begins next."""
        self._before = list(values["norms"])

    def on_epoch_begin(self, epoch, logs=None):
        self._seen, self._before = self._before, []

    def on_train_batch_end(self, batch, logs=None):
        _ = self.model  # On JAX this brings its variables up to date.
        self._seen.append(float(read(self._norm)))
        if logs is not None:
            logs[NAME] = self._seen[-1]

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None and self._seen:
            logs[NAME] = float(np.mean(self._seen))
        self._seen = []


class EpochTable(keras.callbacks.Callback):
    """Keeps `log.csv`: a row for each epoch, none twice when a run goes on.

    Args:
        path: Of the file; its folder is made if missing.
    """

    def __init__(self, path):
        super().__init__()
        self.path, self._rows = Path(path), {}

    def on_train_begin(self, logs=None):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rows = {}
        if self.path.exists():
            with open(self.path, encoding="utf-8", newline="") as file:
                self._rows = {int(r["epoch"]): r for r in csv.DictReader(file)}

    def on_epoch_end(self, epoch, logs=None):
        # What came after a state that a run went on from is done anew.
        earlier = {n: row for n, row in self._rows.items() if n < epoch + 1}
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": epoch + 1, **(logs or {}), "learning_rate": rate}
        self._rows = {**earlier, epoch + 1: row}
        names = dict.fromkeys(name for row in self._rows.values() for name in row)
        partial = self.path.with_suffix(".partial")
        with open(partial, "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(names))
            table.writeheader()
            table.writerows(self._rows.values())
        partial.replace(self.path)


class Events(keras.callbacks.Callback):
    """Writes what TensorBoard shows: curves, the settings of the run, and samples.

    Args:
        folder: Where.
        settings: Dict of the settings of the run, for the page HParams.
        show: Function that returns some results of the task as it is now, or `None`:
            each is shown as it prints, and as it plots.
        every: Steps from one point of the step curves to the next.
    """

    def __init__(self, folder, settings, show=None, every=10):
        super().__init__()
        self._folder, self._settings = Path(folder), settings
        self._show, self._every, self._steps = show, every, 0

    def on_train_begin(self, logs=None):
        self._board = Board(self._folder)
        self._board.settings(self._settings)

    def on_epoch_begin(self, epoch, logs=None):
        self._steps = epoch * (self.params["steps"] or 0)

    def on_train_batch_end(self, batch, logs=None):
        if batch % self._every == 0:
            for name, value in (logs or {}).items():
                self._board.scalar(f"step/{name}", float(value), self._steps + batch)

    def on_epoch_end(self, epoch, logs=None):
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        for name, value in {**(logs or {}), "learning_rate": rate}.items():
            self._board.scalar(f"epoch/{name}", float(value), epoch + 1)
        for number, result in enumerate(self._show() if self._show else []):
            self._board.text(f"sample/{number + 1}", str(result), epoch + 1)
            figure = _figure(result)
            if figure is not None:
                self._board.figure(f"picture/{number + 1}", figure, epoch + 1)
        self._board.flush()

    def on_train_end(self, logs=None):
        self._board.end()
        self._board.close()


def _figure(result):
    """The picture of a result; `None` if it has none, which must not end a run."""
    try:
        return result.plot() if hasattr(result, "plot") else None
    except (ImportError, ValueError):  # no matplotlib; nothing to show
        return None


def watchers(log_dir, settings, show=None, profile=None):
    """The callbacks of `fit(log_dir=...)`: `EpochTable`, `Events` and `Profile`.

    Args:
        log_dir: Folder.
        settings, show: See `Events`.
        profile: See `tasks.profiling.Profile`; `None` for none.
    """
    folder = Path(log_dir)
    found = [EpochTable(folder / "log.csv"), Events(folder, settings, show)]
    return found if profile is None else [*found, Profile(folder, profile)]
