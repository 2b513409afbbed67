"""Losses of sequences, token by token."""

import keras
from keras import ops


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
