"""Beam search: the best sequences that a narrow search finds, in one compiled loop."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from keras import ops

_NEVER = -1e9


@dataclass(frozen=True)
class BeamSearch:
    r"""How a beam search looks, and how it ranks what it finds.

    A sequence $y$ that has ended scores

    $$
    s(y) = \frac{\log p(y)}{((5 + |y|) / 6)^\alpha}
    + \beta \sum_j \log \min(\sum_i a_{ij}, 1)
    $$

    where $|y|$ counts its tokens, the end among them, and $a_{ij}$ is the attention of
    token $i$ to place $j$ of the source. At every step the best `width` continuations
    are looked at: those that end are set aside, and the search is over for a row when
    it has set `width` of them aside. With `width=1` that is greedy search.

    Args:
        width: Number of sequences that are followed; 1 is greedy.
        max_length: Most tokens of a sequence, its end among them.
        min_length: Least tokens before the end may come.
        length_penalty: $\alpha$: 0 ranks by probability alone, more favours longer
            sequences.
        coverage_penalty: $\beta$: how much it costs to leave places of the source
            unattended; 0 is off.
        no_repeat_ngram: Length of sequences of tokens that may not come twice; 0 is
            off.

    Raises:
        ValueError: If a number is out of range.

    Reference:
        - Wu et al., [Google's neural machine translation system](
          https://arxiv.org/abs/1609.08144), 2016
    """

    width: int = 5
    max_length: int = 100
    min_length: int = 0
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    no_repeat_ngram: int = 0

    def __post_init__(self):
        check_lengths(self, no_repeat_ngram=0)
        for name in ("length_penalty", "coverage_penalty"):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 <= value < float("inf"):
                raise ValueError(
                    f"`{name}` must be a number of at least 0. Received: {value!r}"
                )

    def chance(self, keys, rows):
        """What `search` takes beside: nothing, as nothing is left to chance."""
        return {}

    def score(self, log_probability, length, coverage=None):
        """Scores of sequences that have ended; any shapes that go together.

        Args:
            log_probability: Their log-probabilities.
            length: Number of tokens, the end among them.
            coverage: Summed attention to each place of the source, one axis more; and
                1 at places that need none. `None` if there is no attention.
        """
        lengths = ops.cast(length, "float32")
        score = log_probability / ((5.0 + lengths) / 6.0) ** self.length_penalty
        if coverage is None or not self.coverage_penalty:
            return score
        seen = ops.log(ops.clip(coverage, 1e-6, 1.0))
        return score + self.coverage_penalty * ops.sum(seen, -1)

    def search(
        self,
        step,
        first,
        state,
        *,
        end,
        vocabulary_size,
        memory_mask=None,
        limits=None,
    ):
        """Looks for the best sequences; to be compiled.

        Args:
            step: Function `(token_ids, state) -> (log_probabilities, state,
                attention)` for `rows * width` sequences: integers `(n,)`, a tuple of
                tensors `(n, ...)`, then `(n, vocabulary_size)`, the like tuple, and
                `(n, source)` or `None`.
            first: Integers `(rows,)`, the token before the first one.
            state: Tuple of tensors `(rows, ...)`, the state before it.
            end: Id of the token that ends a sequence.
            vocabulary_size: Number of ids.
            memory_mask: Boolean `(rows, source)`, places that want to be attended to.
            limits: Integers `(rows,)`, most tokens of each row's sequences, where that
                is less than `max_length`: so that a row ends alike among any others.

        Returns:
            A `Found` of tensors.
        """
        rows = ops.shape(first)[0]
        run = _Run(self, step, end, vocabulary_size, memory_mask, rows, limits)
        carried = run.start(first, state)
        _, carried = ops.while_loop(
            run.goes_on,
            lambda t, c: (t + 1, run.advance(t, c)),
            (ops.convert_to_tensor(0, "int32"), carried),
            maximum_iterations=self.max_length,
        )
        return run.found(carried)


class Found(NamedTuple):
    """What a beam search found, best first; tensors, or arrays after `as_arrays`.

    At each step, the best continuations are recorded: up to two for each sequence that
    is followed.

    Attributes:
        scores: `(rows, width)` float32; very low where fewer sequences were found.
        log_probabilities: `(rows, width)` float32, in nats.
        lengths: `(rows, width)` int32, number of tokens.
        last: `(rows, width)` int32, which continuation was a sequence's last one.
        tokens, parents: `(max_length, rows, continuations)` int32: the token of each,
            and which continuation of the step before it goes on from.
        attention: `(max_length, rows, continuations, source)` float32, or `None`.
    """

    scores: Any
    log_probabilities: Any
    lengths: Any
    last: Any
    tokens: Any
    parents: Any
    attention: Any

    def traced(self, row, rank):
        """One sequence: its tokens, and the attention of each or `None`.

        Args:
            row: Which row of the batch.
            rank: 0 for the best, and so on.

        Returns:
            List of ids, the end among them if it came; and an array `(tokens, source)`
            or `None`. `None` in place of both where no such sequence was found.
        """
        if self.scores[row, rank] <= _NEVER / 2:
            return None
        length, at = int(self.lengths[row, rank]), int(self.last[row, rank])
        tokens, attention = [], []
        for t in reversed(range(length)):
            tokens.append(int(self.tokens[t, row, at]))
            if self.attention is not None:
                attention.append(self.attention[t, row, at])
            at = int(self.parents[t, row, at])
        return tokens[::-1], np.array(attention[::-1]) if attention else None

    def as_arrays(self):
        """The same in NumPy."""
        return Found(*(x if x is None else ops.convert_to_numpy(x) for x in self))


class _Carried(NamedTuple):
    """What goes from step to step. Alive sequences have not ended, done ones have.

    What is not always there is a tuple, empty or with one tensor.
    """

    ids: Any  # (rows, width): the last tokens of the alive
    totals: Any  # (rows, width): their log-probabilities
    origins: Any  # (rows, width): which continuations they were
    state: Any
    history: Any  # (rows, width, max_length): their tokens
    coverage: Any  # (rows, width, source)
    done: Any  # scores, log-probabilities, lengths, last: (rows, width), best first
    count: Any  # (rows,): how many were set aside
    tokens: Any
    parents: Any
    attention: Any


class _Run:
    """One search: `BeamSearch` tells how, this does it."""

    def __init__(self, how, step, end, vocabulary_size, memory_mask, rows, limits):
        self.how, self.step, self.end = how, step, end
        if limits is None:
            limits = ops.full((rows,), how.max_length, "int32")
        self.limits = ops.minimum(limits, how.max_length)
        self.size, self.rows = vocabulary_size, rows
        self.memory_mask = memory_mask
        # Twice the width: if `width` of them end, as many others go on.
        self.looked_at = min(2 * how.width, how.width * vocabulary_size)

    def start(self, first, state):
        rows, width, most = self.rows, self.how.width, self.how.max_length
        totals = np.full((1, width), _NEVER, "float32")
        totals[:, 0] = 0.0  # the others would be the same sequence again
        history = coverage = attention = ()
        if self.how.no_repeat_ngram:
            history = (ops.zeros((rows, width, most), "int32"),)
        if self.memory_mask is not None:
            source = ops.shape(self.memory_mask)[1]
            # What is no place of the source counts as attended to.
            free = 1.0 - ops.cast(self.memory_mask, "float32")
            coverage = (ops.repeat(free[:, None], width, axis=1),)
            attention = (ops.zeros((most, rows, self.looked_at, source)),)
        none = ops.zeros((rows, width), "int32")
        low = ops.full((rows, width), _NEVER, "float32")
        recorded = ops.zeros((most, rows, self.looked_at), "int32")
        return _Carried(
            ids=ops.repeat(ops.cast(first, "int32")[:, None], width, axis=1),
            totals=ops.tile(ops.convert_to_tensor(totals), (rows, 1)),
            origins=none,
            state=tuple(ops.repeat(x, width, axis=0) for x in state),
            history=history,
            coverage=coverage,
            done=(low, low, none, none),
            count=ops.zeros((rows,), "int32"),
            tokens=recorded,
            parents=recorded,
            attention=attention,
        )

    def goes_on(self, t, carried):
        return ops.any(self._open(t, carried))

    def _open(self, t, carried):
        """Rows that still look for sequences."""
        return ops.logical_and(carried.count < self.how.width, t < self.limits)

    def advance(self, t, c):
        flat, state, attention = self.step(ops.reshape(c.ids, (-1,)), c.state)
        shape = (self.rows, self.how.width, self.size)
        chances = ops.reshape(ops.cast(flat, "float32"), shape)
        totals = c.totals[..., None] + self._allowed(chances, t, c)
        best, places = ops.top_k(ops.reshape(totals, (self.rows, -1)), self.looked_at)
        places = ops.cast(places, "int32")
        slots, tokens = places // self.size, places % self.size
        seen = attended = ()
        if c.coverage:
            weights = ops.cast(attention, "float32")
            weights = ops.reshape(weights, ops.shape(c.coverage[0]))
            seen = (_picked(c.coverage[0] + weights, slots),)
            attended = (_picked(weights, slots),)
        c = self._recorded(t, c, tokens, slots, attended)
        c = self._set_aside(t, c, best, tokens, seen)
        return self._followed(t, c, best, tokens, slots, state, seen)

    def _allowed(self, chances, t, c):
        """Log-probabilities, very low for tokens that may not come."""
        is_end = ops.arange(self.size, dtype="int32") == self.end
        early = ops.logical_and(is_end, t + 1 < self.how.min_length)
        chances = ops.where(early, _NEVER, chances)
        if not c.history:
            return chances
        return ops.where(self._repeated(t, c.history[0]), _NEVER, chances)

    def _repeated(self, t, history):
        """Which tokens would end an n-gram that has come before."""
        n, places = self.how.no_repeat_ngram, ops.arange(self.how.max_length)
        places = ops.cast(places, "int32")
        # At place p, whether the n - 1 tokens before it are the last n - 1 ones.
        same = ops.logical_and(places >= n - 1, places < t)
        same = ops.logical_and(same, ops.ones_like(history, dtype="bool"))
        for back in range(1, n):
            last = ops.sum(ops.where(places == t - back, history, 0), -1)[..., None]
            same = ops.logical_and(same, ops.roll(history, back, axis=-1) == last)
        tokens = ops.one_hot(history, self.size, dtype="float32")
        hits = ops.sum(tokens * ops.cast(same, "float32")[..., None], 2)
        return hits > 0

    def _recorded(self, t, c, tokens, slots, attention):
        """Notes all continuations of this step."""
        parents = _picked(c.origins, slots)
        return c._replace(
            tokens=written(c.tokens, t, tokens),
            parents=written(c.parents, t, parents),
            attention=tuple(
                written(old, t, new)
                for old, new in zip(c.attention, attention, strict=True)
            ),
        )

    def _set_aside(self, t, c, best, tokens, seen):
        """Of the best `width` continuations, those that end are done."""
        width, rank = self.how.width, ops.arange(self.looked_at, dtype="int32")
        # After the last step all are done, whether they have come to an end or not.
        ends = ops.logical_or(tokens == self.end, (t + 1 == self.limits)[:, None])
        ends = ops.logical_and(ends, ops.logical_and(rank < width, best > _NEVER / 2))
        ends = ops.logical_and(ends, self._open(t, c)[:, None])
        scores = self.how.score(best, t + 1, *seen)
        new = (
            ops.where(ends, scores, _NEVER),
            best,
            ops.zeros_like(tokens) + t + 1,
            ops.zeros_like(tokens) + rank,
        )
        joined = [ops.concatenate(pair, 1) for pair in zip(c.done, new, strict=True)]
        order = ops.cast(ops.top_k(joined[0], width)[1], "int32")
        count = c.count + ops.sum(ops.cast(ends, "int32"), 1)
        done = tuple(_picked(x, order) for x in joined)
        return c._replace(done=done, count=count)

    def _followed(self, t, c, best, tokens, slots, state, seen):
        """The best `width` continuations that have not ended are followed."""
        totals = ops.where(tokens == self.end, _NEVER, best)
        totals, origins = ops.top_k(totals, self.how.width)
        origins = ops.cast(origins, "int32")
        slots, ids = _picked(slots, origins), _picked(tokens, origins)
        first = ops.expand_dims(ops.arange(self.rows, dtype="int32"), 1)
        flat = ops.reshape(slots + first * self.how.width, (-1,))
        here = ops.arange(self.how.max_length, dtype="int32") == t
        return c._replace(
            ids=ids,
            totals=totals,
            origins=origins,
            state=tuple(ops.take(x, flat, axis=0) for x in state),
            history=tuple(
                ops.where(here, ids[..., None], _picked(x, slots)) for x in c.history
            ),
            coverage=tuple(_picked(x, origins) for x in seen),
        )

    def found(self, c):
        attention = c.attention[0] if c.attention else None
        return Found(*c.done, c.tokens, c.parents, attention)


def check_lengths(how, **more):
    """Raises a `ValueError` if sizes of a search are out of range.

    Args:
        how: `BeamSearch` or `tasks.decoding.random_search.RandomSearch`.
        **more: Names of further attributes, integers, and the least of each.
    """
    least = {"width": 1, "max_length": 1, "min_length": 0, **more}
    for name, low in least.items():
        value = getattr(how, name)
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < low:
            raise ValueError(
                f"`{name}` must be an integer of at least {low}. Received: {value!r}"
            )
    if how.min_length >= how.max_length:
        raise ValueError(
            "`min_length` must be less than `max_length`. Received: "
            f"{how.min_length} and {how.max_length}"
        )


def _picked(x, index):
    """Entries of axis 1, for each row its own."""
    while len(index.shape) < len(x.shape):
        index = ops.expand_dims(index, -1)
    return ops.take_along_axis(x, index, 1)


def written(record, t, entry):
    """A record `(steps, ...)` with the entry of step `t`."""
    start = [t] + [0] * (len(record.shape) - 1)
    start = [ops.cast(i, "int32") for i in start]
    return ops.slice_update(record, start, ops.expand_dims(entry, 0))
