"""Starting a task from what another one has learned."""

import numpy as np

from tasks.data.labelled import tokens_of
from tasks.data.vocabulary import RESERVED
from tasks.data.words import normalize
from zoo.layers import Bidirectional

# Names of the layers that hold vectors of words.
EMBEDDINGS = ("word_embedding", "token_embedding")


def take_encoder(task, source):
    """Gives a task the encoder of another one, in place.

    Vectors go by the word, so that vocabularies may differ: words that the source does
    not know keep what they have. Other layers go by their names, where their sizes
    agree; heads stay. What a language model has learned is the forward direction of an
    encoder that reads in both.

    Args:
        task: A task over words, such as `tasks.text_classification.TextClassifier`.
        source: Another one, or a `tasks.language_modeling.LanguageModel` of words, best
            one that was trained on text `as_read`.

    Returns:
        List of the names of layers that were taken over.

    Raises:
        ValueError: If nothing fits.
    """
    taken = []
    for layer in task.model.layers:
        if not layer.weights or layer.name in task.head:
            continue
        if layer.name in EMBEDDINGS:
            done = _take_vectors(layer, task, source)
        else:
            done = _take_layer(layer, _named(source.model, layer.name))
        taken += [layer.name] if done else []
    if not taken:
        raise ValueError(
            f"No layer of {type(task).__name__} has the name and the size of one of "
            f"this {type(source).__name__}. Build it with the same `layer`, `units`, "
            "`num_layers` and `embedding_dim`."
        )
    return taken


def _named(model, name):
    return next((layer for layer in model.layers if layer.name == name), None)


def _take_vectors(layer, task, source):
    theirs = next(filter(None, (_named(source.model, n) for n in EMBEDDINGS)), None)
    if theirs is None:
        return False
    (old,), (new,) = layer.get_weights(), theirs.get_weights()
    if old.shape[1] != new.shape[1]:
        return False
    ours, known = words_of(task), words_of(source)
    # A table may hold the first words of its vocabulary alone.
    there = {item: i for i, item in enumerate(known[: len(new) - RESERVED], RESERVED)}
    rows = [there.get(item, -1) for item in ours[: len(old) - RESERVED]]
    if not any(row >= 0 for row in rows):
        return False  # not one word in common
    rows = np.array([*range(RESERVED), *rows])
    layer.set_weights([np.where((rows >= 0)[:, None], new[rows], old)])
    return True


def as_read(text):
    """A text as classifiers and taggers read it: tokens in their normal form.

    A `LanguageModel` of words takes what stands between spaces as it is. Trained on
    text in this form, it knows the words of the task that is to start from it.

    Args:
        text: A string, or a list of tokens.

    Returns:
        String of tokens with spaces between.

    Example:

    >>> as_read("Not bad, isn't it?")
    "not bad , is n't it ?"
    """
    return " ".join(map(normalize, tokens_of(text)))


def words_of(task):
    """The words of a task over words, in the order of their ids.

    Raises:
        ValueError: If it is none.
    """
    if hasattr(task, "features"):
        return task.features.words.items
    if getattr(task.tokenizer, "level", None) == "word":
        return task.tokenizer.vocabulary.items
    raise ValueError(
        "An encoder over words comes from a task over words. Received: "
        f"{type(task).__name__} of level {getattr(task.tokenizer, 'level', None)!r}"
    )


def _take_layer(layer, other):
    if other is None:
        return False
    if _take_weights(layer, other):
        return True
    # Layer by layer: one of a stack, or alone.
    ours, theirs = (getattr(x, "layers", [x]) for x in (layer, other))
    done = [_take_one(*pair) for pair in zip(ours, theirs, strict=False)]
    return bool(done) and done[0]


def _take_one(layer, other):
    # What reads in both directions, from what reads forwards.
    reads_both = isinstance(layer, Bidirectional)
    if reads_both and not isinstance(other, Bidirectional):
        layer = layer.forward_layer
    return _take_weights(layer, other)


def _take_weights(layer, other):
    new = other.get_weights()
    if [w.shape for w in layer.get_weights()] != [w.shape for w in new]:
        return False
    layer.set_weights(new)
    return True
