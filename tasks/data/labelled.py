"""Texts with a label each: every form in which they may come, and batches of them."""

import os

import numpy as np

from tasks.data.batches import BUCKETS, Batches
from tasks.data.texts import items_of, lines_of, read_text, table_of
from tasks.data.words import sentences, tokenize
from zoo.lazy import tf

# First rows that are no examples, in lower case.
_HEADS = (
    ["text", "label"],
    ["sentence", "label"],
    ["review", "label"],
    ["review", "sentiment"],
)


def tokens_of(item, number=0):
    """The tokens of a text, or the text's own if it came as tokens.

    Raises:
        TypeError: If it is neither a string nor a list of strings.
    """
    if isinstance(item, str):
        return [token for token, _, _ in tokenize(item)]
    if isinstance(item, (list, tuple)) and all(isinstance(t, str) for t in item):
        return list(item)
    raise TypeError(
        f"Item {number} must be a string or a list of tokens. Received: "
        f"{type(item).__name__}"
    )


def labelled_from(data, labels=None):
    """Reads what `fit` and `evaluate` take.

    Args:
        data: Path of a file with a text and its label in each line, with a tab
            between them (`.csv`: with a comma, quoted where needed); first lines such
            as `text`, `label` are none. Or a list, another iterable or a data frame of
            `(text, label)`; or a `tf.data.Dataset` of such pairs of strings.
        labels: Labels that may come; `None` for any.

    Returns:
        List of `(text, label)`.

    Raises:
        TypeError, ValueError: If the data are not of that form; the message says
            which example, what came and what would work.
    """
    if isinstance(data, (str, os.PathLike)):
        pairs = _read(data)
    elif hasattr(data, "as_numpy_iterator"):
        pairs = [_from_dataset(pair) for pair in data]
    else:
        pairs = items_of(data)
    if pairs is None:
        raise TypeError(
            "Expected the path of a file, a list of (text, label), or a "
            f"tf.data.Dataset. Received: {type(data).__name__}"
        )
    return [_checked(pair, number, labels) for number, pair in enumerate(pairs)]


def _read(path):
    text = read_text(path)
    if os.fspath(path).endswith(".csv"):
        rows = [row for row in table_of(text) if row]
    else:
        rows = [x.rsplit("\t", 1) for x in lines_of(text) if x.strip()]
    heads = int(bool(rows) and [cell.strip().lower() for cell in rows[0]] in _HEADS)
    for number, row in enumerate(rows[heads:], 1 + heads):
        if len(row) != 2:
            raise ValueError(
                f"{path}, entry {number}: expected a text and a label. "
                f"Received: {row!r:.100}"
            )
    return rows[heads:]


def _from_dataset(pair):
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(
            "A tf.data.Dataset must give pairs of strings (text, label), one at a "
            f"time; `unbatch` a batched one. Received: {pair!r:.200}"
        )
    text, label = (tf.convert_to_tensor(part).numpy() for part in pair)
    if not isinstance(text, bytes):
        raise ValueError(
            "A tf.data.Dataset must give one text at a time, as a string; `unbatch` a "
            f"batched one. Received: {pair!r:.200}"
        )
    label = label.decode() if isinstance(label, bytes) else str(label)
    return text.decode("utf-8", "replace"), label


def _checked(pair, number, labels):
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise ValueError(
            f"Example {number} must be a pair (text, label). Received: {pair!r:.100}"
        )
    text, label = pair
    tokens_of(text, number)
    if not isinstance(label, str):
        raise TypeError(
            f"Example {number}: the label must be a string. Received: {label!r:.100}"
        )
    if not label.strip():
        raise ValueError(f"Example {number} has no label. Received: {pair!r:.100}")
    if labels is not None and label not in labels:
        raise ValueError(
            f"Example {number} has the label {label!r}; this classifier knows "
            f"{list(labels)}. For other labels, load it with "
            "zoo.load(name, labels=[...])."
        )
    return text, label


def shortened(tokens, most):
    """The beginning and the end of a list of tokens that is too long."""
    if len(tokens) <= most:
        return tokens
    return tokens[: most - most // 2] + tokens[-(most // 2) :]


def in_fields(tokens, length):
    """Passages of a text in fields of one length, cut at ends of sentences.

    Args:
        tokens: List of strings.
        length: Length of a field; no passage is longer.

    Returns:
        The tokens with fillers between the passages, and the places of the tokens.
    """
    filled, places = [], []
    for start, end in sentences(tokens, length):
        places += range(len(filled), len(filled) + end - start)
        filled += tokens[start:end] + [""] * (length - end + start)
    return filled, places


class LabelledBatches(Batches):
    """Batches of texts with one label each; see `tasks.data.batches.Batches`.

    Args:
        texts: List of lists of tokens.
        labels: Integer array `(texts,)`, or None.
        features: `WordFeatures`.
        batch_size: int.
        class_weights: Float array `(classes,)`, how much the examples of each weigh.
        field: Length of the fields that passages are put into, see `in_fields`; None
            for tokens in one row.
        **options: Those of `Batches`.

    Items are `(inputs, zeros (batch_size,) float32)`; with labels, `inputs` has
    `"label"` and `"weight"` (batch_size,), int32 and float32. A row that holds no text
    weighs nothing.
    """

    def __init__(
        self,
        texts,
        labels,
        features,
        batch_size,
        buckets=BUCKETS,
        class_weights=None,
        field=None,
        **options,
    ):
        self.labels = None if labels is None else np.asarray(labels, "int32")
        self.class_weights = class_weights
        self.places = None
        if field is not None:
            buckets = tuple(field * 2**k for k in range(5))
            filled = [in_fields(tokens, field) for tokens in texts]
            texts = [tokens for tokens, _ in filled]
            self.places = [places for _, places in filled]
        # A text without a token still has its label, and is read as one empty row.
        super().__init__(
            texts, None, features, [], batch_size, buckets=buckets, **options
        )

    def __getitem__(self, index):
        inputs, targets = super().__getitem__(index)
        if self.places is not None:
            mask = np.zeros_like(inputs["mask"])
            for row, member in enumerate(self.order()[index]):
                mask[row, self.places[member]] = True
            inputs["mask"] = mask
        if self.labels is not None:
            members = self.order()[index]
            inputs["label"] = np.zeros(targets.shape, "int32")
            inputs["label"][: len(members)] = self.labels[members]
            inputs["weight"] = np.zeros(targets.shape, "float32")
            weights = self.class_weights
            inputs["weight"][: len(members)] = (
                1.0 if weights is None else weights[self.labels[members]]
            )
        return inputs, targets
