"""Language models on other text: weights by the token, not by its number."""

import numpy as np

from tasks.data.vocabulary import RESERVED

# Layers with an axis over the vocabulary.
BY_TOKEN = ("token_embedding", "logits")


def take_over(model, source):
    """Gives a language model the weights of another one, by the token."""
    old, new = source.tokenizer, model.tokenizer
    rows = _rows_of(old, new)
    for layer in model.model.layers:
        weights = source.model.get_layer(layer.name).get_weights()
        if layer.name in BY_TOKEN:
            weights = [_rearranged(w, rows, len(old)) for w in weights]
        if weights:
            layer.set_weights(weights)


def _rows_of(old, new):
    """For each id of a tokenizer, the id that another has for it, or -1."""
    if old.level == "subword":
        return np.arange(len(new))
    known = {item: i for i, item in enumerate(old.vocabulary.items, RESERVED)}
    found = [known.get(item, -1) for item in new.vocabulary.items]
    return np.array([*range(RESERVED), *found])


def _rearranged(weight, rows, size):
    """An array with an axis over the old vocabulary, over the new one instead."""
    axes = [axis for axis, n in enumerate(weight.shape) if n == size]
    if not axes:
        return weight
    axis = axes[0] if len(axes) == 1 else weight.ndim - 1
    mean = weight.mean(axis, keepdims=True)
    taken = np.take(weight, np.maximum(rows, 0), axis)
    there = (rows >= 0).reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    return np.where(there, taken, mean)
