"""Sequences drawn at random from a decoder, in one compiled loop."""

from dataclasses import dataclass, field

import numpy as np
from keras import ops

from tasks.decoding.beam import BeamSearch, Found, check_lengths, written
from tasks.decoding.sampling import Sampling


@dataclass(frozen=True)
class RandomSearch:
    """Draws sequences token by token; stands wherever a `BeamSearch` can.

    Args:
        sampling: `tasks.decoding.sampling.Sampling`, without a repetition penalty.
        width: Number of sequences that are drawn for each row; the likeliest is first.
        max_length: Most tokens of a sequence, its end among them.
        min_length: Least tokens before the end may come.
        seed: Decides, with what is read, all that is drawn.

    Raises:
        ValueError: If a number is out of range.
    """

    sampling: Sampling = Sampling()
    width: int = 1
    max_length: int = 100
    min_length: int = 0
    # Not compared, so that one compiled loop draws for all seeds.
    seed: int = field(default=0, compare=False)

    def __post_init__(self):
        check_lengths(self, seed=0)

    def chance(self, keys, rows):
        """Random numbers from 0 to 1, each row's decided by the seed and its key."""
        shape = (self.max_length, self.width)
        numbers = np.zeros((self.max_length, rows, self.width), "float32")
        for row, key in enumerate(keys):
            random = np.random.default_rng([self.seed, key])
            numbers[:, row] = random.random(shape, "float32")
        return {"uniform": numbers}

    def search(
        self,
        step,
        first,
        state,
        *,
        end,
        vocabulary_size,
        uniform,
        memory_mask=None,
        limits=None,
    ):
        """Draws sequences; to be compiled.

        Args:
            uniform: What `chance` gives, `(max_length, rows, width)`.
            **others: See `BeamSearch.search`.

        Returns:
            A `Found` of tensors, whose scores are log-probabilities.
        """
        rows, width = ops.shape(first)[0], self.width
        count = rows * width
        if limits is None:
            limits = ops.full((rows,), self.max_length, "int32")
        limits = ops.repeat(ops.minimum(limits, self.max_length), width)
        places = ops.arange(vocabulary_size, dtype="int32")

        def goes_on(t, ids, state, total, length, *_):
            return ops.any(length == 0)

        def advance(t, ids, state, total, length, tokens, attention):
            chances, state, attended = step(ids, state)
            early = ops.logical_and(places == end, t + 1 < self.min_length)
            numbers = ops.reshape(ops.take(uniform, t, axis=0), (-1,))
            drawn, chance = self.sampling.choose(
                ops.cast(chances, "float32"), numbers, early
            )
            alive = length == 0
            drawn = ops.where(alive, drawn, 0)
            over = ops.logical_or(drawn == end, t + 1 >= limits)
            length = ops.where(ops.logical_and(alive, over), t + 1, length)
            total = total + ops.where(alive, chance, 0.0)
            tokens = written(tokens, t, ops.reshape(drawn, (rows, width)))
            if attention:
                shape = ops.shape(attention[0])[1:]
                seen = ops.reshape(ops.cast(attended, "float32"), shape)
                attention = (written(attention[0], t, seen),)
            return t + 1, drawn, state, total, length, tokens, attention

        attention = ()
        if memory_mask is not None:
            source = ops.shape(memory_mask)[1]
            attention = (ops.zeros((self.max_length, rows, width, source)),)
        carried = (
            ops.convert_to_tensor(0, "int32"),
            ops.repeat(ops.cast(first, "int32"), width),
            tuple(ops.repeat(x, width, axis=0) for x in state),
            ops.zeros((count,), "float32"),
            ops.zeros((count,), "int32"),
            ops.zeros((self.max_length, rows, width), "int32"),
            attention,
        )
        carried = ops.while_loop(
            goes_on, advance, carried, maximum_iterations=self.max_length
        )
        return self._found(rows, *carried[3:])

    def _found(self, rows, total, length, tokens, attention):
        total, length = (ops.reshape(x, (rows, self.width)) for x in (total, length))
        scores, order = ops.top_k(total, self.width)  # the likeliest first
        order = ops.cast(order, "int32")
        lengths = ops.take_along_axis(length, order, 1)
        parents = ops.zeros_like(tokens) + ops.arange(self.width, dtype="int32")
        seen = attention[0] if attention else None
        return Found(scores, scores, lengths, order, tokens, parents, seen)


def search_of(
    beam_width=5,
    length_penalty=0.6,
    coverage_penalty=0.0,
    no_repeat_ngram=0,
    temperature=None,
    top_k=None,
    top_p=None,
    seed=0,
    min_length=0,
    max_length=100,
):
    """What looks for a sequence, from the arguments of `predict` of a task.

    Args:
        **all: See `BeamSearch` and `RandomSearch`.

    Returns:
        `BeamSearch`; with a temperature, `RandomSearch`.

    Raises:
        ValueError: If a number is out of range, or limits of chance come without a
            temperature.
    """
    lengths = {"max_length": max_length, "min_length": min_length}
    if temperature is None:
        if top_k is not None or top_p is not None:
            raise ValueError(
                "`top_k` and `top_p` limit what is drawn at random: give a "
                "`temperature`, such as 1.0, too."
            )
        return BeamSearch(
            beam_width,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            no_repeat_ngram=no_repeat_ngram,
            **lengths,
        )
    sampling = Sampling(temperature, top_k, top_p)
    return RandomSearch(sampling, beam_width, seed=seed, **lengths)
