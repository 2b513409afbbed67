"""A softmax over a large vocabulary, trained on a few of its words at a time."""

import math

import keras
from keras import layers, ops

from tasks.data.vocabulary import RESERVED
from zoo.layers import TiedSoftmax

_NEVER = -1e9


@keras.saving.register_keras_serializable(package="tasks")
class SampledLosses(layers.Layer):
    r"""Losses of a softmax over the target and some words drawn by chance.

    Words are drawn once for all steps of a batch, with replacement, by
    $q(i) = \log\frac{i + 2}{i + 1} / \log(V + 1)$, which suits a vocabulary with its
    most frequent words first. Each of their logits is lowered by the logarithm of how
    often its word was to be expected among those drawn, so that the sum over them tends
    to that over all words but the target. Padding and unknown words, which come first
    and are no words of a rank, are always among the others: an unknown word that is a
    target at times, but never a wrong answer, would become the likeliest everywhere.

    Args:
        head: The layer of the full softmax, whose weights this one uses:
            `zoo.layers.TiedSoftmax` or `keras.layers.Dense`.
        vocabulary_size: Number of ids.
        count: Number of words to draw, beside the reserved ids.
        **kwargs: `name` and `dtype`.

    Call arguments:
        inputs: `(batch, time, features)`, what the head would take.
        targets: Integers `(batch, time)`.
        mask: Boolean `(batch, time)`.

    Returns:
        Losses `(batch, time)` in nats, float32, 0 where masked: for training, and not
        to be compared with the full softmax's.

    Reference:
        - Jean et al., [On using very large target vocabulary for neural machine
          translation](https://arxiv.org/abs/1412.2007), 2015
    """

    def __init__(self, head, vocabulary_size, count, **kwargs):
        super().__init__(**kwargs)
        if not 0 < count < vocabulary_size - RESERVED:
            raise ValueError(
                "A sampled softmax draws fewer words than there are, "
                f"{vocabulary_size - RESERVED}. Received: {count}"
            )
        self.head, self.count = head, count
        self.words = vocabulary_size - RESERVED
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_masking = True

    def call(self, inputs, targets, mask):
        matrix, bias, inputs = self._weights(inputs)
        drawn = keras.random.uniform((self.count,), seed=self.seed_generator)
        ranks = ops.exp(drawn * math.log(self.words + 1.0)) - 1.0
        ranks = ops.minimum(ops.cast(ranks, "int32"), self.words - 1)
        reserved = ops.arange(RESERVED, dtype="int32")
        ids = ops.concatenate([reserved, ranks + RESERVED])
        expected = ops.concatenate([ops.ones(RESERVED), self._expected(ranks)])
        others = inputs @ ops.transpose(ops.take(matrix, ids, axis=0))
        others = ops.cast(others + ops.take(bias, ids), "float32")
        others = others - ops.log(expected)
        same = ops.expand_dims(targets, -1) == ops.cast(ids, targets.dtype)
        others = ops.where(same, _NEVER, others)
        own = ops.take(matrix, targets, axis=0)
        right = ops.sum(ops.cast(inputs * own, "float32"), -1)
        right = right + ops.cast(ops.take(bias, targets), "float32")
        right = ops.expand_dims(right, -1)
        total = ops.logsumexp(ops.concatenate([right, others], -1), -1)
        return ops.where(mask, total - right[..., 0], 0.0)

    def _expected(self, ranks):
        """How often words of these ranks are to be expected among those drawn."""
        ranks = ops.cast(ranks, "float32")
        part = ops.log((ranks + 2.0) / (ranks + 1.0)) / math.log(self.words + 1.0)
        return self.count * part

    def _weights(self, inputs):
        """A row and a bias for each word, and inputs of the rows' size."""
        head = self.head
        if not isinstance(head, TiedSoftmax):
            kernel = ops.convert_to_tensor(head.kernel)
            return ops.transpose(kernel), ops.convert_to_tensor(head.bias), inputs
        if head.projection:
            inputs = inputs @ ops.cast(head.kernel, inputs.dtype)
        matrix = ops.convert_to_tensor(head.embedding.embeddings)
        return matrix, ops.convert_to_tensor(head.bias), inputs

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape[:2]

    def compute_mask(self, *_, **__):
        return None
