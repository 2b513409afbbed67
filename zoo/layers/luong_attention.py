"""Multiplicative attention."""

import math

import keras
from keras import initializers, ops, regularizers

from zoo.layers.attention import Attention
from zoo.ops.attention import additive_scores

SCORES = ("dot", "general", "concat")
SCALES = (None, "sqrt", "learned")


@keras.saving.register_keras_serializable(package="zoo")
class LuongAttention(Attention, keras.layers.Layer):
    r"""Attention of a query to the places of a sequence, by products.

    $$
    \begin{aligned}
    e_j &= q^\top x_j && \text{dot} \\
    e_j &= q^\top W x_j && \text{general} \\
    e_j &= v^\top \tanh(W [q; x_j]) && \text{concat} \\
    \alpha &= \mathrm{softmax}(s e) \qquad c = \sum_j \alpha_j x_j
    \end{aligned}
    $$

    with a query $q$, values $x_j$ and a scale $s$.

    The softmax is in float32, or in float64 in a float64 layer. A row whose places are
    all masked has weights and context 0, and no gradient.

    Args:
        score: `"dot"`, for queries of the size of the values, `"general"` or
            `"concat"`.
        units: For `"concat"`, the size in which query and values are compared; `None`
            for the size of the query.
        scale: $s$: `None` for 1; `"sqrt"` for $1 / \sqrt n$ with vectors of size
            $n$; `"learned"` for a weight that starts at 1.
        kernel_initializer, kernel_regularizer: Initialiser and regulariser of the
            matrices; the vector $v$ has the initialiser too.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        query: `(batch, query_dim)`, or many for each row, `(batch, queries,
            query_dim)`.
        values: `(batch, source, features)`.
        keys: What `layer.project(values)` returned, so that many calls project once;
            `None` to project now.
        mask: Boolean `(batch, source)`, true for valid places of `values`; `None` if
            all are valid. What stands in padding is not read.
        alignments: `None`: this layer reads no earlier alignment.

    Returns:
        Context `(batch, features)` and weights `(batch, source)`; for many queries
        `(batch, queries, features)` and `(batch, queries, source)`.

    Raises:
        ValueError: If a shape does not fit; the message names the layer, what came
            and what would work.

    Example:

    >>> import numpy as np
    >>> layer = LuongAttention("general")
    >>> query, values = np.ones((2, 3), "float32"), np.ones((2, 5, 4), "float32")
    >>> context, weights = layer(query, values)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 4), (2, 5))

    References:
        - Luong, Pham and Manning, [Effective approaches to attention-based neural
          machine translation](https://arxiv.org/abs/1508.04025), 2015
    """

    def __init__(
        self,
        score,
        *,
        units=None,
        scale=None,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.score = self.check_choice("score", score, SCORES)
        self.scale = self.check_choice("scale", scale, SCALES)
        if units is not None:
            units = self.check_size("units", units)
            if score != "concat":
                raise ValueError(
                    f"`units` of layer '{self.name}' is for score='concat' alone. "
                    f"Received: score={score!r}, units={units}"
                )
        self.units = units
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    def build(self, query_shape, values_shape):
        query_dim, value_dim = query_shape[-1], values_shape[-1]
        if self.score == "dot" and query_dim != value_dim:
            raise ValueError(
                f"Layer '{self.name}' (LuongAttention) with score='dot' takes queries "
                f"of the size of the values, {value_dim}; score='general' takes any. "
                f"Received: {query_dim}"
            )
        self.query_dim, self.value_dim = query_dim, value_dim
        self.size = self.units or query_dim
        if self.score != "dot":
            self.key_kernel = self._add("key_kernel", value_dim, self.size)
        if self.score == "concat":
            self.query_kernel = self._add("query_kernel", query_dim, self.size)
            self.vector = self.add_weight(
                shape=(self.size,),
                name="vector",
                initializer=self.kernel_initializer.clone(),
            )
        if self.scale == "learned":
            self.gain = self.add_weight(shape=(), name="gain", initializer="ones")
        self.built = True

    @property
    def multiplies_keys(self):
        return self.score != "concat"

    def _add(self, name, *shape):
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=self.kernel_initializer.clone(),
            regularizer=self.kernel_regularizer,
        )

    def project(self, values, mask=None):
        """Keys `(batch, source, units)`; `mask` as in the call."""
        values = self.clean(values, mask)
        if self.score == "dot":
            return values
        return self.multiply_values(values, self.key_kernel)

    def matrices(self):
        if self.score != "concat":
            return {}
        return {"query_kernel": self.tensor(self.query_kernel)}

    def vectors(self):
        vectors = {}
        if self.score == "concat":
            vectors["vector"] = self.tensor(self.vector)
        if self.scale == "learned":
            vectors["gain"] = self.tensor(self.gain)
        return vectors

    def scores(self, multiply, vectors, query, keys, alignments):
        if self.score == "concat":
            features = ops.expand_dims(multiply("query_kernel", query), -2)
            keys = ops.expand_dims(keys, 1) if len(query.shape) == 3 else keys
            scores = additive_scores(features + keys, vectors["vector"])
        else:
            scores = multiply("keys", query, transpose=True)
        if self.scale == "learned":
            return scores * vectors["gain"]
        return scores / math.sqrt(self.size) if self.scale == "sqrt" else scores

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "scale": self.scale,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }
