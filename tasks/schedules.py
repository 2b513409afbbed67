"""Learning rates that change over a run: up in a line first, then in several ways."""

import difflib
import math

import keras
from keras import ops

KINDS = ("cosine", "constant", "linear", "inverse_square_root", "cyclical")
# What a rate begins with, and falls to, as a part of the highest.
LOW = 0.1
CYCLES = 4


@keras.saving.register_keras_serializable(package="tasks")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises in a line from a tenth of a rate to the whole, then goes its own way.

    Args:
        kind: `"cosine"` and `"linear"` fall to a tenth, `"inverse_square_root"` falls
            as the Transformer's does, `"cyclical"` goes down and up again four times
            (triangular), `"constant"` stays.
        learning_rate: The highest rate.
        steps: Number of optimizer steps of the whole run.
        warm_up: Part of the steps that go up, from 0 to 1.

    Raises:
        ValueError: If one of them is none of these.

    References:
        - Vaswani et al., [Attention is all you need](
          https://arxiv.org/abs/1706.03762), 2017 (inverse square root)
        - Smith, [Cyclical learning rates for training neural networks](
          https://arxiv.org/abs/1506.01186), 2017
        - Loshchilov and Hutter, [SGDR: stochastic gradient descent with warm
          restarts](https://arxiv.org/abs/1608.03983), 2017 (cosine)
    """

    def __init__(self, kind, learning_rate, steps, warm_up=0.05):
        if kind not in KINDS:
            known = (*KINDS, "plateau")
            near = difflib.get_close_matches(str(kind), known, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"`schedule` must be one of {known}. Received: {kind!r}.{meant}"
            )
        if not 0 <= warm_up <= 1:
            raise ValueError(f"`warm_up` must be from 0 to 1. Received: {warm_up}")
        self.kind, self.learning_rate = kind, float(learning_rate)
        self.steps, self.warm_up = int(steps), float(warm_up)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        first = max(1, int(self.warm_up * self.steps))
        rising = LOW + (1 - LOW) * step / first
        rest = max(1, self.steps - first)
        done = ops.clip((step - first) / rest, 0.0, 1.0)
        part = ops.where(step < first, rising, self._after(step, first, done))
        return self.learning_rate * part

    def _after(self, step, first, done):
        if self.kind == "cosine":
            return LOW + (1 - LOW) * 0.5 * (1 + ops.cos(math.pi * done))
        if self.kind == "linear":
            return 1 - (1 - LOW) * done
        if self.kind == "inverse_square_root":
            return ops.sqrt(first / ops.maximum(step, float(first)))
        if self.kind == "cyclical":
            # From 1 down to 0 and up to 1 again in each cycle.
            wave = ops.abs(1 - 2 * ((done * CYCLES) % 1.0))
            return LOW + (1 - LOW) * wave
        return ops.ones_like(step)

    def get_config(self):
        return {
            "kind": self.kind,
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "warm_up": self.warm_up,
        }


class Plateau(keras.callbacks.Callback):
    """Lowers a constant rate after epochs without a better score.

    As `keras.callbacks.ReduceLROnPlateau`, but a run that goes on after a kill goes on
    waiting where it was: `get_state` and `set_state` hold what it remembers.

    Args:
        score: Name of the score in the logs.
        lower: Whether lower scores are better.
        factor: What the rate is multiplied by.
        patience: Epochs to wait for a better score.
    """

    def __init__(self, score="loss", lower=True, factor=0.5, patience=2):
        super().__init__()
        self.score, self.lower = score, lower
        self.factor, self.patience = factor, patience
        self.best, self.waited = None, 0

    def on_epoch_end(self, epoch, logs=None):
        score = float(logs[self.score])
        score = -score if self.lower else score
        if self.best is None or score > self.best:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited = 0
            rate = self.model.optimizer.learning_rate
            rate.assign(rate * self.factor)

    def get_state(self):
        return {"best": self.best, "waited": self.waited}

    def set_state(self, state):
        self.best, self.waited = state["best"], state["waited"]


def rate_of(kind, learning_rate, steps, best=None):
    """What an optimizer takes for its rate, and the callbacks that this needs.

    Args:
        kind: One of `KINDS`, or `"plateau"`: a rate that is halved when two epochs
            bring no better score.
        learning_rate: The highest rate.
        steps: Number of optimizer steps of the whole run.
        best: The run's `tasks.training.BestWeights`, whose score is watched; the loss
            is where there is none.

    Raises:
        ValueError: If the kind is unknown, or the rate not positive.
    """
    if not learning_rate > 0:
        raise ValueError(
            f"`learning_rate` must be a positive number. Received: {learning_rate!r}"
        )
    if kind != "plateau":
        return Schedule(kind, learning_rate, steps), []
    watched = {} if best is None else {"score": best.name, "lower": best.lower}
    return learning_rate, [Plateau(**watched)]
