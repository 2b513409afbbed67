"""Losses of sequences, token by token, and of batches, wherever their parts are."""

import contextlib
import contextvars

import keras
from keras import layers, ops

_WHOLE = contextvars.ContextVar("whole batch", default=None)


def token_losses(logits, targets, mask, label_smoothing=0.0):
    """Cross-entropy of each target in nats, 0 where masked; `(batch, time)`.

    Args:
        logits: `(batch, time, vocabulary)`, float32.
        targets: Integers `(batch, time)`.
        mask: Boolean `(batch, time)`.
        label_smoothing: Part of the truth that is spread over all tokens.
    """
    if label_smoothing:
        size = logits.shape[-1]
        wanted = ops.one_hot(targets, size, dtype=logits.dtype)
        wanted = wanted * (1 - label_smoothing) + label_smoothing / size
        loss = keras.losses.categorical_crossentropy(wanted, logits, True)
    else:
        loss = keras.losses.sparse_categorical_crossentropy(targets, logits, True)
    return ops.where(mask, loss, 0.0)


def row_loss(_, loss):
    """The loss that the model itself has computed for each row."""
    return loss


@keras.saving.register_keras_serializable(package="tasks")
class RowShare(layers.Layer):
    """Each row's share of a loss: their mean is the mean over all valid steps.

    Where several devices share a batch, it is that of the whole batch's rows and steps:
    see `whole_batch`.

    Call arguments:
        losses: `(batch, time)`, 0 where masked.
        mask: Boolean `(batch, time)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, losses, mask):
        whole = _WHOLE.get()
        if whole is None:
            rows, steps = ops.shape(losses)[0], ops.sum(ops.cast(mask, "float32"))
        else:
            rows, steps = whole
        share = ops.cast(rows, "float32") / ops.maximum(steps, 1.0)
        return ops.sum(losses, 1) * share

    def compute_output_shape(self, losses_shape, *_):
        return losses_shape[:1]

    def compute_mask(self, *_, **__):
        return None


@contextlib.contextmanager
def whole_batch(rows, steps):
    """Within it, `RowShare` is that of a batch of which only a part is here.

    Args:
        rows: Number of rows of the whole batch.
        steps: Number of its valid steps, float32.
    """
    token = _WHOLE.set((rows, steps))
    try:
        yield
    finally:
        _WHOLE.reset(token)
