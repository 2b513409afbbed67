"""Scheduled sampling: how often a decoder in training reads its own tokens."""

import math

import keras

KINDS = ("linear", "exponential", "inverse_sigmoid", None)


class SamplingRate(keras.callbacks.Callback):
    """Raises the rate of scheduled sampling from epoch to epoch, up to a quarter.

    Args:
        task: The `Translator`.
        epochs: Epochs of the whole run.
    """

    def __init__(self, task, epochs):
        super().__init__()
        self.task, self.epochs = task, epochs

    def on_epoch_begin(self, epoch, logs=None):
        kind = self.task.options["scheduled_sampling"]
        rate = 0.25 * sampling_rate(kind, epoch / max(1, self.epochs - 1))
        self.task.parts.decoder.sampling_rate.assign(rate)


def sampling_rate(kind, progress):
    """How often inputs are the model's own, from 0 at first to about 1 at last.

    Args:
        kind: `"linear"`, `"exponential"` or `"inverse_sigmoid"`.
        progress: float, 0 at the begin of training, 1 at its end.

    Reference:
        - Bengio et al., [Scheduled sampling](https://arxiv.org/abs/1506.03099), 2015
    """
    if kind == "linear":
        return progress
    if kind == "exponential":
        return 1.0 - 0.01**progress
    # Half-way at the middle of training, flat at both ends.
    k = 10.0
    low, high = (1 / (1 + math.exp(k * x)) for x in (0.5, -0.5))
    return (1 / (1 + math.exp(k * (0.5 - progress))) - low) / (high - low)
