"""From probabilities of labels to texts: the best path, and prefix beam search.

Each is one compiled loop over time for all rows of a batch. Label 0 is the blank.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from tasks.data.vocabulary import RESERVED
from tasks.decoding.beginnings import NEVER, Beginnings, log_add, longer_names, merged
from tasks.decoding.lexicon import Lexicon
from zoo.ops.scan import time_scan


class Decoded(NamedTuple):
    """What was decoded, best first; tensors, or arrays after `as_arrays`.

    Attributes:
        scores: `(rows, width)` float32, log-probabilities in nats of all paths of a
            text that were followed; very low where fewer texts were found.
        tokens: `(rows, width, time)` int32: at the step where each token of a text was
            first heard, its id; 0 at all others.
    """

    scores: Any
    tokens: Any

    def as_arrays(self):
        """The same in NumPy."""
        return Decoded(*map(ops.convert_to_numpy, self))

    def ranked(self, row):
        """List of `(ids, score)` of one row, best first, without those not found."""
        return [
            (tokens[tokens > 0].tolist(), float(score))
            for tokens, score in zip(self.tokens[row], self.scores[row], strict=True)
            if score > NEVER / 2
        ]


@dataclass(frozen=True)
class PathSearch:
    """The likeliest label at each step: the likeliest single path."""

    def search(self, log_probabilities, mask):
        """Decodes; to be compiled.

        Args:
            log_probabilities: `(rows, time, labels)`.
            mask: Boolean `(rows, time)`; other steps are as if they were not there.

        Returns:
            A `Decoded` of tensors, `width` is 1.
        """
        chances, inside = _time_first(log_probabilities, mask)
        labels = ops.cast(ops.argmax(chances, -1), "int32")
        best = ops.where(inside, ops.max(chances, -1), 0.0)

        def step(state, inputs):
            (last,), (label, inside) = state, inputs
            new = ops.logical_and(inside, label != last)
            return (ops.where(inside, label, last),), (ops.where(new, label, 0),)

        start = ops.zeros_like(labels[0])
        outputs = ((ops.shape(start), "int32"),)
        _, (tokens,) = time_scan(step, (start,), (labels, inside), outputs)
        tokens = ops.transpose(tokens)
        return Decoded(ops.sum(best, 0)[:, None], tokens[:, None])


@dataclass(frozen=True)
class PrefixSearch:
    r"""Follows the `width` best beginnings of texts, each with all of its paths.

    A text's probability is a sum over paths. That of a beginning $y$ is kept in two
    parts, paths that end in a blank, $b$, and paths that end in its last token, $n$; a
    step with probabilities $p$ makes of them

    $$
    b'(y) = (b(y) + n(y)) \, p(\text{blank}), \qquad
    n'(y) = n(y) \, p(y_{-1}) + p(y_{-1}) \cdot
    \begin{cases} b(y_{:-1}) & y_{-1} = y_{-2} \\ b(y_{:-1}) + n(y_{:-1}) &
    \text{else} \end{cases}
    $$

    Wide enough, it finds the likeliest text, which need not be that of the likeliest
    path. Beginnings are told apart by their length and two hashes of 32 bits.

    With a lexicon nothing is followed but beginnings of texts of its words. The best
    text of whole words is always among them, so that there is one in the end.

    Args:
        width: Number of beginnings that are followed.
        merge: Whether paths of one beginning are added up. If not, single paths are
            followed; with `width=1` that is `PathSearch`.
        lexicon: `tasks.decoding.lexicon.Lexicon`, or `None` for any texts.

    Raises:
        ValueError: If `width` is not a positive integer, or is 1 with a lexicon.

    Reference:
        - Hannun, Maas, Jurafsky and Ng, [First-pass large vocabulary continuous speech
          recognition using bi-directional recurrent DNNs](
          https://arxiv.org/abs/1408.2873), 2014
    """

    width: int = 10
    merge: bool = True
    lexicon: Lexicon | None = None

    def __post_init__(self):
        value = self.width
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"`width` must be a positive integer. Received: {value!r}")
        if self.lexicon is not None and value < 2:
            raise ValueError(f"With a lexicon `width` must be 2 or more, not {value}.")

    def search(self, log_probabilities, mask):
        """Decodes; see `PathSearch.search`, with `width` texts for each row."""
        chances, inside = _time_first(log_probabilities, mask)
        beam = self._start(ops.shape(chances)[1])
        record = (ops.shape(beam.last), "int32")

        def step(beam, inputs):
            beam = Beginnings(*beam)
            chances, inside = inputs
            new, tokens, parents = self._advance(beam, chances)
            inside = inside[:, None]
            kept = (ops.where(inside, x, old) for x, old in zip(new, beam, strict=True))
            same = ops.zeros_like(parents) + ops.arange(self.width, dtype="int32")
            moves = (ops.where(inside, tokens, 0), ops.where(inside, parents, same))
            return tuple(kept), moves

        last, (tokens, parents) = time_scan(
            step, tuple(beam), (chances, inside), (record, record)
        )
        last = Beginnings(*last)
        scores, order = log_add(last.blank, last.token), None
        if self.lexicon is not None:
            whole = ops.take(ops.convert_to_tensor(self.lexicon.whole), last.place)
            scores, order = ops.top_k(ops.where(whole, scores, NEVER), self.width)
            order = ops.cast(order, "int32")
        return Decoded(scores, _traced(tokens, parents, order))

    def _start(self, rows):
        zeros = ops.zeros((rows, self.width), "int32")
        never = np.full((1, self.width), NEVER, "float32")
        # A copy: on JAX a tensor may share the memory of the array it was made from.
        empty = never.copy()
        empty[:, 0] = 0.0  # the others would be the same beginning again
        empty, never = (
            ops.tile(ops.convert_to_tensor(low), (rows, 1)) for low in (empty, never)
        )
        return Beginnings(empty, never, zeros, zeros, zeros, zeros, zeros)

    def _advance(self, beam, chances):
        """All that one step makes of the beginnings, and the best of it.

        Returns:
            `_Beam`; and `(rows, width)` the token that each has new, or 0, and which of
            the old ones it was.
        """
        total = log_add(beam.blank, beam.token)
        last = ops.take_along_axis(chances, beam.last, 1)
        with_blank = total + chances[:, :1]
        with_last = ops.where(beam.last > 0, beam.token + last, NEVER)
        longer = self._longer(beam, total, chances)
        never = ops.full_like(total, NEVER)
        if self.merge:
            longer, joined = merged(beam, longer)
            with_last = log_add(with_last, joined)
            stays = [with_blank, never], [with_last, never]
        else:
            stays = [with_blank, never], [never, with_last]
        flat = ops.reshape(longer, (ops.shape(total)[0], -1))
        blank = ops.concatenate([*stays[0], ops.full_like(flat, NEVER)], 1)
        token = ops.concatenate([*stays[1], flat], 1)
        score = log_add(blank, token)
        _, places = ops.top_k(self._preferred(beam, score), self.width)
        places = ops.cast(places, "int32")
        stay, size = 2 * self.width, longer.shape[-1]
        beyond = ops.maximum(places - stay, 0)
        tokens = ops.where(places < stay, 0, beyond % size)
        parents = ops.where(places < stay, places % self.width, beyond // size)
        # What cannot be is no beginning of anything.
        alive = _picked(score, places) > NEVER / 2
        tokens = ops.where(alive, tokens, 0)
        parts = [ops.where(alive, _picked(x, places), NEVER) for x in (blank, token)]
        *names, place = (ops.where(alive, _picked(x, parents), 0) for x in beam[2:])
        named = (
            ops.where(tokens > 0, x, old)
            for x, old in zip(longer_names(names, tokens), names, strict=True)
        )
        if self.lexicon is not None:
            after = ops.convert_to_tensor(self.lexicon.after.reshape(-1))
            moved = ops.take(after, place * self.lexicon.labels + tokens)
            place = ops.where(tokens > 0, moved, place)
        return Beginnings(*parts, *named, place), tokens, parents

    def _preferred(self, beam, score):
        """Scores to choose by: those given, but the best whole text comes first."""
        if self.lexicon is None:
            return score
        after, whole = self.lexicon.after, self.lexicon.whole
        by_label = ops.convert_to_tensor((after >= 0) & whole[after])
        stays = ops.take(ops.convert_to_tensor(whole), beam.place)
        longer = ops.take(by_label, beam.place, 0)
        longer = ops.reshape(longer, (ops.shape(score)[0], -1))
        ended = ops.concatenate([stays, stays, longer], 1)
        first = ops.argmax(ops.where(ended, score, 2 * NEVER), 1)
        places = ops.arange(ops.shape(score)[1], dtype="int32")
        return ops.where(places == ops.cast(first, "int32")[:, None], 1.0, score)

    def _longer(self, beam, total, chances):
        """Scores of each beginning with one token more, `(rows, width, labels)`."""
        labels = ops.arange(chances.shape[-1], dtype="int32")
        again = beam.last[:, :, None] == labels
        # The same token twice needs a blank between.
        before = ops.where(again, beam.blank[:, :, None], total[:, :, None])
        if self.lexicon is not None:
            may = ops.take(
                ops.convert_to_tensor(self.lexicon.after >= 0), beam.place, 0
            )
            before = ops.where(may, before, NEVER)
        return ops.where(labels < RESERVED, NEVER, before + chances[:, None])


def _traced(tokens, parents, order=None):
    """Tokens of each text at the steps where they came, `(rows, width, time)`."""
    start = order
    if start is None:
        width = ops.shape(parents)[2]
        start = ops.zeros_like(parents[0]) + ops.arange(width, dtype="int32")

    def step(state, inputs):
        (at,), (tokens, parents) = state, inputs
        return (_picked(parents, at),), (_picked(tokens, at),)

    outputs = ((ops.shape(start), "int32"),)
    _, (found,) = time_scan(step, (start,), (tokens, parents), outputs, reverse=True)
    return ops.transpose(found, (1, 2, 0))


def _time_first(log_probabilities, mask):
    chances = ops.transpose(ops.cast(log_probabilities, "float32"), (1, 0, 2))
    return ops.maximum(chances, NEVER), ops.transpose(mask)


def _picked(x, places):
    return ops.take_along_axis(x, places, 1)
