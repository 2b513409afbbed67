"""Additive attention."""

import math

import keras
from keras import initializers, ops, regularizers

from zoo.layers.attention import Attention
from zoo.ops.attention import additive_scores


@keras.saving.register_keras_serializable(package="zoo")
class BahdanauAttention(Attention, keras.layers.Layer):
    r"""Additive attention of a query to the places of a sequence.

    $$
    \begin{aligned}
    e_j &= v^\top \tanh(q W_q + x_j W_x + a_j w_a + b) \\
    \alpha &= \mathrm{softmax}(e) \qquad c = \sum_j \alpha_j x_j
    \end{aligned}
    $$

    with a query $q$, values $x_j$, and their keys $x_j W_x$. With `coverage`, $a_j$ is
    the sum of the weights that earlier queries gave to place $j$, so that what was
    read can be left; else this term is not there. With `normalize`, $v$ is $g v / |v|$
    with a learnt $g$ that starts at $1 / \sqrt{\mathrm{units}}$ (weight
    normalisation).

    The softmax is in float32, or in float64 in a float64 layer. A row whose places are
    all masked has weights and context 0, and no gradient.

    Args:
        units: Size in which query and keys are compared.
        coverage: Whether to read the sum of earlier weights.
        normalize: Whether to normalise $v$.
        use_bias: Whether to add $b$.
        kernel_initializer, bias_initializer: Initialisers; the former of all weights
            but $b$ and $g$.
        kernel_regularizer: Regulariser of $W_q$ and $W_x$.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        query: `(batch, query_dim)`, or many for each row, `(batch, queries,
            query_dim)`.
        values: `(batch, source, features)`.
        keys: What `layer.project(values)` returned, so that many calls project once;
            `None` to project now.
        mask: Boolean `(batch, source)`, true for valid places of `values`; `None` if
            all are valid. What stands in padding is not read.
        alignments: With `coverage`, a list of one tensor of the shape of the weights;
            `None` for zeros. `layer.next_alignments(alignments, weights)` is the list
            for the next query.

    Returns:
        Context `(batch, features)` and weights `(batch, source)`; for many queries
        `(batch, queries, features)` and `(batch, queries, source)`.

    Raises:
        ValueError: If a shape does not fit; the message names the layer, what came
            and what would work.

    Example:

    >>> import numpy as np
    >>> layer = BahdanauAttention(8)
    >>> query, values = np.ones((2, 3), "float32"), np.ones((2, 5, 4), "float32")
    >>> context, weights = layer(query, values)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 4), (2, 5))

    References:
        - Bahdanau, Cho and Bengio, [Neural machine translation by jointly learning to
          align and translate](https://arxiv.org/abs/1409.0473), 2015
        - See, Liu and Manning, [Get to the point: summarization with
          pointer-generator networks](https://arxiv.org/abs/1704.04368), 2017
        - Salimans and Kingma, [Weight normalization](
          https://arxiv.org/abs/1602.07868), 2016
    """

    def __init__(
        self,
        units,
        *,
        coverage=False,
        normalize=False,
        use_bias=False,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = self.check_size("units", units)
        self.coverage = bool(coverage)
        self.normalize = bool(normalize)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    @property
    def alignment_names(self):
        return ("cumulative",) if self.coverage else ()

    def build(self, query_shape, values_shape):
        self.query_dim, self.value_dim = query_shape[-1], values_shape[-1]
        self.query_kernel = self._add("query_kernel", self.query_dim, self.units)
        self.key_kernel = self._add("key_kernel", self.value_dim, self.units)
        self.vector = self._add_vector("vector")
        if self.coverage:
            self.coverage_vector = self._add_vector("coverage_vector")
        if self.normalize:
            start = initializers.Constant(1 / math.sqrt(self.units))
            self.gain = self.add_weight(shape=(), name="gain", initializer=start)
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,), name="bias", initializer=self.bias_initializer
            )
        self.built = True

    def _add(self, name, *shape):
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=self.kernel_initializer.clone(),
            regularizer=self.kernel_regularizer,
        )

    def _add_vector(self, name):
        return self.add_weight(
            shape=(self.units,),
            name=name,
            initializer=self.kernel_initializer.clone(),
        )

    def project(self, values, mask=None):
        """Keys `(batch, source, units)`; `mask` as in the call."""
        keys = self.multiply_values(self.clean(values, mask), self.key_kernel)
        return keys + self.tensor(self.bias) if self.use_bias else keys

    def matrices(self):
        return {"query_kernel": self.tensor(self.query_kernel)}

    def vectors(self):
        vector = self.tensor(self.vector)
        if self.normalize:
            # A vector of zeros has no direction: it stays zero.
            norm = ops.sqrt(ops.sum(vector * vector) + 1e-12)
            vector = self.tensor(self.gain) * vector / norm
        vectors = {"vector": vector}
        if self.coverage:
            vectors["coverage_vector"] = self.tensor(self.coverage_vector)
        return vectors

    def scores(self, multiply, vectors, query, keys, alignments):
        features = ops.expand_dims(multiply("query_kernel", query), -2)
        features = features + (keys if len(query.shape) == 2 else keys[:, None])
        if self.coverage:
            covered = ops.expand_dims(alignments[0], -1)
            features = features + covered * vectors["coverage_vector"]
        return additive_scores(features, vectors["vector"])

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "coverage": self.coverage,
            "normalize": self.normalize,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }
