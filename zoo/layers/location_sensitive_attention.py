"""Attention that knows where it was."""

import keras
from keras import initializers, ops, regularizers

from zoo.layers.attention import Attention
from zoo.ops.attention import additive_scores, location_features

READS = ("previous", "cumulative", "both")


@keras.saving.register_keras_serializable(package="zoo")
class LocationSensitiveAttention(Attention, keras.layers.Layer):
    r"""Additive attention that also reads earlier alignments, by a convolution.

    $$
    \begin{aligned}
    f &= F * a \\
    e_j &= v^\top \tanh(q W_q + x_j W_x + f_j W_f + b) \\
    \alpha &= \mathrm{softmax}(e) \qquad c = \sum_j \alpha_j x_j
    \end{aligned}
    $$

    with a query $q$, values $x_j$, and as $a$ the weights $\alpha$ of the previous
    query, their sum over all earlier queries (as Tacotron 2), or both as two channels.
    It learns to move on along the sequence, as speech needs.

    The softmax is in float32, or in float64 in a float64 layer. A row whose places are
    all masked has weights and context 0, and no gradient.

    Args:
        units: Size in which query and keys are compared.
        filters: Number of filters of the convolution.
        kernel_size: Their width, centred, with zeros outside of the sequence.
        reads: Which alignment is $a$: `"previous"`, `"cumulative"` or `"both"`.
        use_bias: Whether to add $b$.
        kernel_initializer, bias_initializer: Initialisers; the former of all weights
            but $b$.
        kernel_regularizer: Regulariser of all matrices and of the filters.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        query: `(batch, query_dim)`, or many for each row, `(batch, queries,
            query_dim)`.
        values: `(batch, source, features)`.
        keys: What `layer.project(values)` returned, so that many calls project once;
            `None` to project now.
        mask: Boolean `(batch, source)`, true for valid places of `values`; `None` if
            all are valid. What stands in padding is not read.
        alignments: List of tensors of the shape of the weights: one, or with
            `reads="both"` the previous and the cumulative one; `None` for zeros.
            `layer.next_alignments(alignments, weights)` is the list for the next query.

    Returns:
        Context `(batch, features)` and weights `(batch, source)`; for many queries
        `(batch, queries, features)` and `(batch, queries, source)`.

    Raises:
        ValueError: If a shape does not fit; the message names the layer, what came
            and what would work.

    Example:

    >>> import numpy as np
    >>> layer = LocationSensitiveAttention(8)
    >>> query, values = np.ones((2, 3), "float32"), np.ones((2, 5, 4), "float32")
    >>> context, weights = layer(query, values)
    >>> then = layer.next_alignments(layer.initial_alignments(2, 5), weights)
    >>> context, weights = layer(query, values, alignments=then)
    >>> tuple(context.shape), tuple(weights.shape)
    ((2, 4), (2, 5))

    References:
        - Chorowski et al., [Attention-based models for speech recognition](
          https://arxiv.org/abs/1506.07503), 2015
        - Shen et al., [Natural TTS synthesis by conditioning WaveNet on mel
          spectrogram predictions](https://arxiv.org/abs/1712.05884), 2018
    """

    def __init__(
        self,
        units,
        *,
        filters=32,
        kernel_size=31,
        reads="previous",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = self.check_size("units", units)
        self.filters = self.check_size("filters", filters)
        self.kernel_size = self.check_size("kernel_size", kernel_size)
        self.reads = self.check_choice("reads", reads, READS)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    @property
    def alignment_names(self):
        return ("previous", "cumulative") if self.reads == "both" else (self.reads,)

    def build(self, query_shape, values_shape):
        self.query_dim, self.value_dim = query_shape[-1], values_shape[-1]
        channels = len(self.alignment_names)
        self.query_kernel = self._add("query_kernel", self.query_dim, self.units)
        self.key_kernel = self._add("key_kernel", self.value_dim, self.units)
        self.location_filters = self._add(
            "location_filters", self.kernel_size, channels, self.filters
        )
        self.location_kernel = self._add("location_kernel", self.filters, self.units)
        self.vector = self.add_weight(
            shape=(self.units,),
            name="vector",
            initializer=self.kernel_initializer.clone(),
        )
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

    def project(self, values, mask=None):
        """Keys `(batch, source, units)`; `mask` as in the call."""
        keys = self.multiply_values(self.clean(values, mask), self.key_kernel)
        return keys + self.tensor(self.bias) if self.use_bias else keys

    def matrices(self):
        return {"query_kernel": self.tensor(self.query_kernel)}

    def vectors(self):
        return {
            "vector": self.tensor(self.vector),
            "location_filters": self.tensor(self.location_filters),
            "location_kernel": self.tensor(self.location_kernel),
        }

    def scores(self, multiply, vectors, query, keys, alignments):
        shape = ops.shape(alignments[0])
        # Many queries of a row are as many rows to the convolution.
        rows = [ops.reshape(a, (-1, shape[-1])) for a in alignments]
        seen = location_features(rows, vectors["location_filters"])
        seen = seen @ vectors["location_kernel"]
        seen = ops.reshape(seen, (*shape, self.units))
        features = ops.expand_dims(multiply("query_kernel", query), -2) + seen
        keys = ops.expand_dims(keys, 1) if len(query.shape) == 3 else keys
        return additive_scores(features + keys, vectors["vector"])

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "reads": self.reads,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }
