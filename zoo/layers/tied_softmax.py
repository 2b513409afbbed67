"""Logits by the matrix that also embeds."""

import keras
from keras import initializers, ops, regularizers


@keras.saving.register_keras_serializable(package="zoo")
class TiedSoftmax(keras.layers.Layer):
    r"""Logits over a vocabulary by the transposed matrix of its embedding.

    $$z = (x P) E^\top + b$$

    with the matrix $E$ of an `Embedding`, which stays the embedding's own: one
    variable, trained by both. The projection $P$ is there if asked for, and must be if
    inputs are not of the embedding's size. A softmax of the logits gives
    probabilities; losses take them `from_logits=True`.

    Sharing survives `model.save` and `load_model`, and `save_weights` with the same
    code. A model from `to_json` or a clone has two embeddings, as Keras knows shared
    layers in `.keras` files alone; loading weights into it is an error.

    Args:
        embedding: `keras.layers.Embedding`, or another layer with `embeddings`
            `(vocabulary_size, embedding_dim)`, `input_dim` and `output_dim`.
        projection: Whether to multiply inputs with $P$ first.
        use_bias: Whether to add $b$.
        kernel_initializer, kernel_regularizer: Initialiser and regulariser of $P$.
        bias_initializer: Initialiser of $b$.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(..., features)`, with `features` the embedding's size, or any size
            with `projection`.
        mask: Boolean `(batch, time)`, or `None`. Masked steps get logits as all
            others do: the mask belongs to the loss.

    Returns:
        Logits `(..., vocabulary_size)`.

    Raises:
        ValueError: If a shape does not fit; the message names the layer, what came
            and what would work.

    Example:

    >>> import numpy as np
    >>> embedding = keras.layers.Embedding(100, 8)
    >>> layer = TiedSoftmax(embedding)
    >>> tuple(layer(np.zeros((2, 5, 8), "float32")).shape)
    (2, 5, 100)

    References:
        - Press and Wolf, [Using the output embedding to improve language models](
          https://arxiv.org/abs/1608.05859), 2017
        - Inan, Khosravi and Socher, [Tying word vectors and word classifiers](
          https://arxiv.org/abs/1611.01462), 2017
    """

    def __init__(
        self,
        embedding,
        *,
        projection=False,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name in ("input_dim", "output_dim"):
            if not isinstance(getattr(embedding, name, None), int):
                raise ValueError(
                    f"Layer '{self.name}' (TiedSoftmax) shares the matrix of an "
                    f"embedding, such as keras.layers.Embedding(100, 8). Received: "
                    f"{embedding!r}"
                )
        self.embedding = embedding
        self.projection, self.use_bias = bool(projection), bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape):
        features, size = input_shape[-1], self.embedding.output_dim
        if not self.projection and features != size:
            raise ValueError(
                f"Layer '{self.name}' (TiedSoftmax) takes inputs of the embedding's "
                f"size, {size}; with projection=True, of any. Received shape: "
                f"{tuple(input_shape)}"
            )
        if not self.embedding.built:
            self.embedding.build((None,))
        if self.projection:
            self.kernel = self.add_weight(
                shape=(features, size),
                name="kernel",
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
            )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.embedding.input_dim,),
                name="bias",
                initializer=self.bias_initializer,
            )
        self.features = features
        self.built = True

    def call(self, inputs, mask=None):
        if inputs.shape[-1] != self.features:
            raise ValueError(
                f"Layer '{self.name}' (TiedSoftmax) was built for {self.features} "
                f"features. Received shape: {tuple(inputs.shape)}"
            )
        lead = ops.shape(inputs)[:-1]
        # One large product; those of many small matrices are slower.
        x = ops.reshape(ops.cast(inputs, self.compute_dtype), (-1, self.features))
        if self.projection:
            x = x @ ops.cast(self.kernel, x.dtype)
        matrix = ops.cast(ops.convert_to_tensor(self.embedding.embeddings), x.dtype)
        logits = x @ ops.transpose(matrix)
        if self.use_bias:
            logits = logits + ops.cast(self.bias, x.dtype)
        return ops.reshape(logits, (*lead, self.embedding.input_dim))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.embedding.input_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "embedding": keras.saving.serialize_keras_object(self.embedding),
            "projection": self.projection,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }

    @classmethod
    def from_config(cls, config):
        embedding = keras.saving.deserialize_keras_object(config["embedding"])
        return cls(**{**config, "embedding": embedding})
