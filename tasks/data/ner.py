"""Every form in which texts and tagged sentences may come, as one."""

import os
from dataclasses import dataclass

from tasks.data.conll import read_conll
from tasks.data.tags import bio, detect_scheme, spans, to_bio
from tasks.data.words import sentences, tokenize
from zoo.lazy import tf

# Tokens that are read at once; longer lines are cut, at an end of a sentence if
# there is one.
MAX_LENGTH = 128


@dataclass(frozen=True)
class Text:
    """One text, ready to be tagged.

    Attributes:
        text: What the offsets point into; `None` if it came as tokens.
        tokens: List of strings.
        offsets: List of `(start, end)`; `None` if it came as tokens.
        windows: List of lists of tokens, which joined are the tokens.
    """

    text: str | None
    tokens: list
    offsets: list | None
    windows: list


def texts_from(inputs):
    """Reads what `predict` takes.

    Args:
        inputs: A string, a list of strings, or a list of lists of tokens.

    Returns:
        List of `Text`, and whether it was a single string.

    Raises:
        TypeError: If it is neither; the message says what came.
    """
    if isinstance(inputs, str):
        return [_from_string(inputs)], True
    if isinstance(inputs, (bytes, dict)) or not hasattr(inputs, "__iter__"):
        raise TypeError(
            "Expected a string, a list of strings, or a list of lists of tokens. "
            f"Received: {type(inputs).__name__}"
        )
    return [_from_item(item, number) for number, item in enumerate(inputs)], False


def _from_item(item, number):
    if isinstance(item, str):
        return _from_string(item)
    if isinstance(item, (list, tuple)) and all(isinstance(t, str) for t in item):
        tokens = list(item)
        windows = [tokens[a:b] for a, b in sentences(tokens, MAX_LENGTH)]
        return Text(None, tokens, None, windows)
    raise TypeError(
        f"Item {number} must be a string or a list of tokens. Received: "
        f"{type(item).__name__}" + (" of mixed things" if type(item) is list else "")
    )


def _from_string(text):
    tokens, offsets, windows, start = [], [], [], 0
    for line in text.splitlines(keepends=True):
        found = tokenize(line)
        words = [token for token, _, _ in found]
        windows += [words[a:b] for a, b in sentences(words, MAX_LENGTH)]
        tokens += words
        offsets += [(start + a, start + b) for _, a, b in found]
        start += len(line)
    return Text(text, tokens, offsets, windows)


def examples_from(data, labels=None):
    """Reads what `fit` and `evaluate` take.

    Args:
        data: Path of a CoNLL file, a list of `(tokens, tags)` or of
            `(text, entities)`, or a `tf.data.Dataset` of `(tokens, tags)`.
        labels: Labels that may come; `None` for any.

    Returns:
        List of `(tokens, tags)`, in BIO; sentences without tokens are left out.

    Raises:
        TypeError, ValueError: If the data are not of that form; the message says
            which example, what came and what would work.
    """
    if isinstance(data, (str, os.PathLike)):
        pairs = read_conll(data)
    elif hasattr(data, "as_numpy_iterator"):
        pairs = [_from_dataset(pair) for pair in data]
    elif isinstance(data, (list, tuple)):
        pairs = data
    else:
        raise TypeError(
            "Expected the path of a CoNLL file, a list of (tokens, tags) or of "
            "(text, [(start, end, label)]), or a tf.data.Dataset. Received: "
            f"{type(data).__name__}"
        )
    examples = [_example(pair, number) for number, pair in enumerate(pairs)]
    scheme = detect_scheme([tags for _, tags in examples])
    examples = [(tokens, to_bio(tags, scheme)) for tokens, tags in examples if tokens]
    if labels is not None:
        _check_labels(examples, labels)
    return examples


def _from_dataset(pair):
    paired = isinstance(pair, tuple) and len(pair) == 2
    if not paired or any(len(getattr(p, "shape", ())) != 1 for p in pair):
        raise ValueError(
            "A tf.data.Dataset must give one sentence at a time, as a pair of string "
            "tensors (tokens, tags), each of shape (time,); `unbatch` a batched one. "
            f"Received: {pair!r:.200}"
        )
    tokens, tags = (tf.convert_to_tensor(part).numpy().tolist() for part in pair)
    return [t.decode("utf-8", "replace") for t in tokens], [t.decode() for t in tags]


def _example(pair, number):
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise ValueError(
            f"Example {number} must be a pair (tokens, tags) or (text, entities). "
            f"Received: {pair!r:.100}"
        )
    tokens, tags = pair
    if isinstance(tokens, str):
        return _align(tokens, tags, number)
    tokens, tags = list(tokens), list(tags)
    if len(tokens) != len(tags):
        raise ValueError(
            f"Example {number} has {len(tokens)} tokens and {len(tags)} tags."
        )
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(
                f"Example {number}: tokens must be strings. Received: {token!r}"
            )
    return tokens, tags


def _align(text, entities, number):
    """Tags of a text's tokens from offsets of its characters.

    A token belongs to an entity if it touches it: annotators cut inside of tokens.
    """
    found = tokenize(text)
    taken = []
    for entity in entities:
        start, end, label = _checked(entity, text, number)
        touched = [i for i, (_, a, b) in enumerate(found) if a < end and b > start]
        if touched:
            taken.append((touched[0], touched[-1] + 1, label))
    try:
        return [token for token, _, _ in found], bio(taken, len(found))
    except ValueError as error:
        raise ValueError(f"Example {number}, counted in tokens: {error}") from error


def _checked(entity, text, number):
    if isinstance(entity, str) or not hasattr(entity, "__len__") or len(entity) != 3:
        raise ValueError(
            f"Example {number}: the entities of a text are (start, end, label), in "
            f"characters. Received: {entity!r:.100}"
        )
    start, end, label = entity
    whole = isinstance(start, int) and isinstance(end, int) and isinstance(label, str)
    if not whole or not 0 <= start < end <= len(text):
        raise ValueError(
            f"Example {number}: entity ({start!r}, {end!r}, {label!r}) is not in its "
            f"text of {len(text)} characters."
        )
    return start, end, label


def _check_labels(examples, labels):
    known = set(labels)
    for number, (_, tags) in enumerate(examples):
        for _, _, label in spans(tags):
            if label not in known:
                raise ValueError(
                    f"Example {number} has the label {label!r}; this tagger knows "
                    f"{sorted(known)}. For other labels, load it with "
                    "zoo.load(name, labels=[...])."
                )
