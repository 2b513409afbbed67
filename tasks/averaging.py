"""Stochastic gradient descent that averages weights once it stops getting better."""

import keras
import numpy as np
from keras import ops

from tasks.distributed_values import read, write
from tasks.training import BestWeights


@keras.saving.register_keras_serializable(package="tasks")
class AveragedSGD(keras.optimizers.SGD):
    """Averaged SGD with a trigger: NT-ASGD.

    Plain SGD, until the score on held-out data has not become better for some epochs;
    from then on the weights of all steps are averaged, and the average is what counts.
    `BestAverages` does the telling and the looking.

    Args:
        learning_rate: float, or a schedule; the paper takes 30 for large models.
        patience: Epochs: averaging begins when a score is worse than the best one
            that is older than this.
        **kwargs: Those of `keras.optimizers.SGD`, such as `clipnorm` or
            `global_clipnorm`.

    Reference:
        - Merity, Keskar and Socher, [Regularizing and optimizing LSTM language
          models](https://arxiv.org/abs/1708.02182), 2018
    """

    def __init__(self, learning_rate=30.0, patience=5, **kwargs):
        super().__init__(learning_rate, **kwargs)
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ValueError(
                f"`patience` must be a positive integer. Received: {patience!r}"
            )
        self.patience = patience

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._trained = list(variables)
        # All of it in variables, so that a checkpoint of the optimizer has it.
        self.averages = [
            self.add_variable_from_reference(v, "average") for v in variables
        ]
        self.steps = self._number((), "averaged_steps", 0.0)
        self.best = self._number((), "best_of_older_epochs", np.inf)
        self.recent = self._number((self.patience,), "recent_epochs", np.inf)
        # When averaging began, in steps; -1 until then.
        self.start = self._number((), "averaging_since", -1.0)

    def _number(self, shape, name, value):
        with keras.name_scope(self.name):
            # Counts are the same on all devices that train together.
            made = self.add_variable(
                shape, "zeros", "float32", "only_first_replica", name=name
            )
        made.assign(np.full(shape, value, "float32"))
        return made

    @property
    def started_at(self):
        """The step at which averaging began, or `None`."""
        start = float(ops.convert_to_numpy(self.start)) if self.built else -1.0
        return None if start < 0 else int(start)

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        self.steps.assign(self.steps + self._active())

    def _active(self):
        return ops.cast(self.start >= 0, "float32")

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        active = self._active()
        part = active / ops.maximum(self.steps + active, 1.0)
        average = self.averages[self._get_variable_index(variable)]
        share, value = ops.cast(part, average.dtype), ops.convert_to_tensor(variable)
        self.assign(average, average + share * (value - average))

    def observe(self, score):
        """Takes the score of an epoch, lower is better; may begin to average."""
        best, recent = (ops.convert_to_numpy(x) for x in (self.best, self.recent))
        if self.started_at is None and score > best:
            self.start.assign(ops.cast(self.iterations, "float32"))
        self.best.assign(np.minimum(best, recent[0]))
        self.recent.assign(np.append(recent[1:], np.float32(score)))

    def swap(self):
        """Exchanges weights and averages, where there are averages."""
        if self.started_at is None or not float(ops.convert_to_numpy(self.steps)):
            return
        for variable, average in zip(self._trained, self.averages, strict=True):
            value = ops.convert_to_numpy(variable)
            variable.assign(average)
            average.assign(value)

    def get_config(self):
        return {**super().get_config(), "patience": self.patience}


class BestAverages(BestWeights):
    """`BestWeights`, but what is scored and kept are the averages of `AveragedSGD`."""

    @staticmethod
    def swap(optimizer):
        """Exchanges weights and averages."""
        _inner(optimizer).swap()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        super().on_epoch_end(epoch, logs)
        _inner(self.model.optimizer).observe(logs[self.name])


def swap_moving_average(optimizer):
    """Exchanges the weights for their moving average, and back.

    Args:
        optimizer: Keras optimizer with `use_ema=True`, in use.
    """
    inner = _inner(optimizer)
    averages = inner._model_variables_moving_average
    for variable, average in zip(inner._trainable_variables, averages, strict=True):
        value = read(variable)
        write(variable, read(average))
        write(average, value)


def _inner(optimizer):
    # In half precision it stands within one that scales the loss.
    return getattr(optimizer, "inner_optimizer", optimizer)
