"""What training needs beside layers: seeds, XLA on a CPU, and the best weights."""

import math

import keras

from tasks.distributed_values import agreed, read, write


class Compiled(keras.Model):
    """A functional model that XLA compiles also where Keras by itself would not: on a
    CPU, where it makes training up to twice as fast if all batches have one shape.
    """

    by_xla = True

    def _resolve_auto_jit_compile(self):
        alone = getattr(self, "_distribute_strategy", None) is None
        if keras.backend.backend() == "tensorflow" and alone:
            return True
        return super()._resolve_auto_jit_compile()


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

    Attributes:
        swap: Function of the optimizer that exchanges the weights that learn for those
            that count, and back; `None` where they are the same.
    """

    swap = None

    def __init__(self, score, name="val_f1", patience=None, lower=False):
        super().__init__()
        self.score, self.name, self.patience = score, name, patience
        self.lower = lower
        self.best, self.best_epoch, self._weights = None, None, None

    def get_state(self):
        """Plain values, and a list of arrays: all that a run needs to go on."""
        values = {"best": self.best, "best_epoch": self.best_epoch}
        return values, list(self._weights or [])

    def set_state(self, values, weights):
        """Takes up what `get_state` returned."""
        self.best, self.best_epoch = values["best"], values["best_epoch"]
        self._weights = weights or None

    def on_epoch_end(self, epoch, logs=None):
        if self.swap is not None:
            self.swap(self.model.optimizer)
        self._look(epoch, {} if logs is None else logs)
        if self.swap is not None:
            self.swap(self.model.optimizer)

    def _look(self, epoch, logs):
        # As the first worker finds it: all must stop after the same epoch.
        value = agreed(self.model, float(self.score()))
        logs[self.name] = value
        if self._better(value):
            self.best, self.best_epoch = value, epoch
            self._weights = [read(v) for v in self.model.weights]
        elif self.patience is not None and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def _better(self, value):
        if self.best is None or math.isnan(self.best):
            return True
        return value < self.best if self.lower else value > self.best

    def on_train_end(self, logs=None):
        if self._weights is not None:
            for variable, value in zip(self.model.weights, self._weights, strict=True):
                write(variable, value)
