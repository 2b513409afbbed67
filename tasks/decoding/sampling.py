"""Choosing the next token at random, within limits."""

import math
from dataclasses import dataclass

import keras
from keras import ops

_NEVER = -1e9


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen from its probabilities.

    Args:
        temperature: Divides the logits; 0 takes the likeliest token, always.
        top_k: How many of the likeliest tokens are left; `None` for all.
        top_p: The likeliest tokens that together have at least this probability are
            left; `None` for all (nucleus sampling).
        repetition_penalty: Divides the positive logits, and multiplies the negative
            ones, of tokens that have come before; 1 does nothing.

    Raises:
        ValueError: If a number is out of range.

    References:
        - Holtzman et al., [The curious case of neural text degeneration](
          https://arxiv.org/abs/1904.09751), 2020
        - Keskar et al., [CTRL](https://arxiv.org/abs/1909.05858), 2019
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self):
        _check("temperature", self.temperature, 0 <= self.temperature < math.inf)
        whole = isinstance(self.top_k, int) and not isinstance(self.top_k, bool)
        _check("top_k", self.top_k, self.top_k is None or (whole and self.top_k > 0))
        _check("top_p", self.top_p, self.top_p is None or 0 < self.top_p <= 1)
        positive = 0 < self.repetition_penalty < math.inf
        _check("repetition_penalty", self.repetition_penalty, positive)

    @property
    def greedy(self):
        """Whether nothing is left to chance."""
        return self.temperature == 0

    def choose(self, logits, uniform, forbidden, seen=None):
        """The next token of each row.

        Args:
            logits: `(batch, vocabulary)`, float32.
            uniform: `(batch,)`, random numbers from 0 to 1.
            forbidden: Boolean `(vocabulary,)`, true for tokens never to take.
            seen: `(batch, vocabulary)`, true for tokens that have come before; only
                for a repetition penalty.

        Returns:
            Ids `(batch,)` int32, and their log-probabilities `(batch,)` by the model
            itself, before any of the limits.
        """
        believed = keras.ops.log_softmax(logits)
        logits = ops.where(forbidden, _NEVER, logits)
        if seen is not None and self.repetition_penalty != 1:
            penalty = self.repetition_penalty
            less = ops.where(logits > 0, logits / penalty, logits * penalty)
            logits = ops.where(seen, less, logits)
        if self.greedy:
            chosen = ops.cast(ops.argmax(logits, -1), "int32")
        else:
            chosen = self._draw(self._limited(logits / self.temperature), uniform)
        picked = ops.take_along_axis(believed, ops.expand_dims(chosen, -1), -1)
        return chosen, ops.squeeze(picked, -1)

    def _limited(self, logits):
        size = logits.shape[-1]
        if self.top_k is not None and self.top_k < size:
            lowest = ops.top_k(logits, self.top_k)[0][:, -1:]
            logits = ops.where(logits < lowest, _NEVER, logits)
        if self.top_p is not None and self.top_p < 1:
            ordered = ops.flip(ops.sort(logits, -1), -1)
            probabilities = ops.softmax(ordered)
            before = ops.cumsum(probabilities, -1) - probabilities
            # The first token is always left: before it is nothing.
            kept = ops.where(before < self.top_p, ordered, math.inf)
            logits = ops.where(
                logits < ops.min(kept, -1, keepdims=True), _NEVER, logits
            )
        return logits

    def _draw(self, logits, uniform):
        """By the inverse of the distribution function: one number a token is enough."""
        total = ops.cumsum(ops.softmax(logits), -1)
        # Against rounding: never beyond the last token that has any probability.
        point = ops.expand_dims(uniform, -1) * total[:, -1:]
        below = ops.sum(ops.cast(total <= point, "int32"), -1)
        last = ops.max(
            ops.where(logits > _NEVER / 2, ops.arange(logits.shape[-1]), 0), -1
        )
        return ops.cast(ops.minimum(below, ops.cast(last, below.dtype)), "int32")


def _check(name, value, fine):
    if isinstance(value, bool) or not fine:
        raise ValueError(f"`{name}` is out of range. Received: {value!r}")
