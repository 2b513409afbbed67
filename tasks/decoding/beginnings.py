"""Beginnings of texts, told apart by hashes, for searches that follow several."""

from typing import Any, NamedTuple

from keras import ops

NEVER = -1e9
_PRIMES = (1_000_003, 16_777_619)


class Beginnings(NamedTuple):
    """Beginnings of texts, `(rows, width)` each.

    Attributes:
        blank, token: Log-probabilities of paths that end in a blank, and in the last
            token.
        last: Id of that, 0 if there is none.
        length, hash_a, hash_b: With `last`, what tells beginnings apart.
        place: In the lexicon.
    """

    blank: Any
    token: Any
    last: Any
    length: Any
    hash_a: Any
    hash_b: Any
    place: Any

    @property
    def names(self):
        """What tells beginnings apart: last id, length and hashes."""
        return self[2:6]


def longer_names(names, token):
    """Names of beginnings with one token more."""
    _, length, a, b = names
    # Integers that overflow wrap around on every backend.
    a = a * _PRIMES[0] + token + 1
    b = b * _PRIMES[1] + token + 1
    return token + ops.zeros_like(length), length + 1, a, b


def merged(beam, longer):
    """Moves the scores of longer beginnings that are in the beam already to those.

    Returns:
        `longer` without them, and what each of the beam gets, `(rows, width)`.
    """
    # For each pair: the first with the second's last token.
    names = [x[:, :, None] for x in beam.names]
    last, length, a, b = (x[:, None, :] for x in beam.names)
    _, longer_length, longer_a, longer_b = longer_names(names, last)
    same = ops.logical_and(longer_a == a, longer_b == b)
    same = ops.logical_and(same, ops.logical_and(longer_length == length, last > 0))
    index = ops.broadcast_to(last, ops.shape(same))
    theirs = ops.take_along_axis(longer, index, 2)
    joined = ops.max(ops.where(same, theirs, NEVER), 1)
    labels = ops.arange(longer.shape[-1], dtype="int32")
    here = ops.cast(beam.last[:, :, None] == labels, "float32")
    gone = ops.matmul(ops.cast(same, "float32"), here) > 0
    return ops.where(gone, NEVER, longer), joined


def log_add(a, b):
    """The logarithm of a sum of two probabilities, from their logarithms."""
    most = ops.maximum(a, b)
    return most + ops.log1p(ops.exp(-ops.abs(a - b)))
