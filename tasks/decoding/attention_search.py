"""Beam searches of a decoder that looks at a memory, compiled once each."""

import math
from typing import NamedTuple

import numpy as np
from keras import ops

from tasks import forks
from tasks.decoding.compiled import compiled

_NEVER = -1e9


class AttentionSearch:
    """Runs beam searches of an `AttentionDecoder`, each in one compiled call.

    Args:
        encode: Function from a batch of inputs to `(memory, summary, memory_mask)`; the
            mask may be `None`.
        decoder: `tasks.attention_decoder.AttentionDecoder`.
        variables: All variables of the model.
        end: Id of the token that ends a sequence.
        forbidden: Ids below this one never come.
    """

    def __init__(self, encode, decoder, variables, *, end, forbidden):
        self.encode, self.decoder, self.variables = encode, decoder, variables
        self.end, self.forbidden = end, forbidden
        self._compiled = {}

    def __call__(self, how, *inputs, limits=None, keys=()):
        """Searches.

        Args:
            how: `tasks.decoding.beam.BeamSearch`, or
                `tasks.decoding.random_search.RandomSearch`.
            *inputs: Arrays with a row for each sequence, as `encode` takes them.
            limits: Most tokens of each row, integers; see `BeamSearch.search`.
            keys: An integer for each row, that decides what is drawn for it.

        Returns:
            `Ranking`.

        Raises:
            RunError: In a process that was forked from one with models.
        """
        forks.check()
        if how not in self._compiled:
            self._compiled[how] = compiled(
                lambda more, *given: self.search(how, *given, **more), self.variables
            )
        rows = len(inputs[0])
        limits = np.full(rows, how.max_length) if limits is None else limits
        more = {"limits": np.asarray(limits, "int32"), **how.chance(keys, rows)}
        more = {name: ops.convert_to_tensor(x) for name, x in more.items()}
        found = self._compiled[how](more, *map(ops.convert_to_tensor, inputs))
        return Ranking(found.as_arrays())

    def search(self, how, *inputs, **more):
        """The same on tensors, to be compiled; returns `tasks.decoding.beam.Found`.

        `more` is `limits`, if wanted, and what `how.chance` gave.
        """
        memory, summary, memory_mask = self.encode(*inputs)
        prepared, state = self.decoder.begin(memory, summary, memory_mask)
        prepared = type(prepared)(
            *(x if x is None else ops.repeat(x, how.width, axis=0) for x in prepared)
        )
        size = self.decoder.vocabulary_size
        never = ops.arange(size) < self.forbidden

        def step(token_ids, state):
            logits, state, attention = self.decoder.step(
                token_ids, list(state), prepared
            )
            chances = ops.where(never, _NEVER, ops.log_softmax(logits))
            return chances, tuple(state), attention

        looks = self.decoder.attention is not None
        if looks and memory_mask is None:
            memory_mask = ops.ones(ops.shape(memory)[:2], "bool")
        return how.search(
            step,
            ops.zeros(ops.shape(memory)[:1], "int32"),
            tuple(state),
            end=self.end,
            vocabulary_size=size,
            memory_mask=memory_mask if looks else None,
            **more,
        )


class Answer(NamedTuple):
    """One sequence that was found.

    Attributes:
        ids: List of ids, without the end.
        score: What sequences were ranked by.
        log_probability: In nats.
        attention: `(tokens, source)`, the end's row among them; or `None`.
    """

    ids: list
    score: float
    log_probability: float
    attention: np.ndarray | None


class Ranking:
    """What was found for each row, to be read off.

    Args:
        found: `tasks.decoding.beam.Found` of arrays.
    """

    def __init__(self, found):
        self.found = found

    def ranked(self, row, end, source=None):
        """The `Answer`s of a row, best first; at least one.

        Where every token was forbidden, that is an empty one with a score of -inf.

        Args:
            row: Which one.
            end: Id of the token that ends a sequence.
            source: Number of places of the memory to tell of; all by default.
        """
        found, answers = self.found, []
        for rank in range(found.scores.shape[1]):
            traced = found.traced(row, rank)
            if traced is None:
                break
            tokens, attention = traced
            if attention is not None:
                attention = attention[:, :source]
            if tokens[-1:] == [end]:
                tokens = tokens[:-1]
            scores = (found.scores, found.log_probabilities)
            numbers = [float(x[row, rank]) for x in scores]
            answers.append(Answer(tokens, *numbers, attention))
        return answers or [Answer([], -math.inf, -math.inf, None)]
