"""Sequences of sequences: words make sentences, sentences make a document."""

import keras
from keras import ops

from zoo.eager import mask_tensor
from zoo.layers.output_shape import OutputShape


@keras.saving.register_keras_serializable(package="zoo")
class Hierarchical(OutputShape, keras.layers.Layer):
    r"""Reads each sentence with one layer, and the sentences with another.

    $$
    s_j = \mathrm{inner}(x_{j,1}, \dots, x_{j,n}), \qquad
    d_j = \mathrm{outer}(s_1, \dots, s_j)
    $$

    The inner layer begins every sentence with a state of zeros. A sentence without a
    valid word is a masked step of the outer layer, which holds its state there,
    wherever in the document it stands.

    Args:
        inner: Recurrent layer, `Bidirectional` or `Stack` with
            `return_sequences=False` and `return_state=False`: from words to a sentence.
        outer: Recurrent layer, `Bidirectional` or `Stack`: from sentences to a
            document. Its options say what comes back.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, sentences, words, features)`.
        mask: Boolean `(batch, sentences, words)`, true for valid words; `None` if all
            are valid.
        initial_state: The initial states of the outer layer, as it takes them; `None`
            for zeros. With `outer.return_state` and this, a long document can be read
            a few sentences at a time.
        training: Given to both layers.

    Returns:
        What the outer layer returns: `(batch, units)`, with its `return_sequences`
        `(batch, sentences, units)`, with its `return_state` a tuple of that and its
        states.

    Raises:
        ValueError: If a layer or a shape does not fit; the message names the layer.

    Example:

    >>> import numpy as np
    >>> from zoo.layers import Bidirectional, ZoneoutLSTM
    >>> layer = Hierarchical(Bidirectional(ZoneoutLSTM(4)), ZoneoutLSTM(3))
    >>> tuple(layer(np.zeros((2, 5, 7, 6), "float32")).shape)
    (2, 3)

    References:
        - Li, Luong and Jurafsky, [A hierarchical neural autoencoder for paragraphs
          and documents](https://arxiv.org/abs/1506.01057), 2015
        - Yang et al., [Hierarchical attention networks for document classification](
          https://aclanthology.org/N16-1174/), 2016
    """

    def __init__(self, inner, outer, **kwargs):
        super().__init__(autocast=False, **kwargs)
        for name, layer in (("inner", inner), ("outer", outer)):
            if not hasattr(layer, "state_sizes"):
                raise ValueError(
                    f"`{name}` must be a recurrent layer of zoo.layers. "
                    f"Received: {layer!r}"
                )
        if inner.return_sequences or inner.return_state:
            raise ValueError(
                f"Layer '{inner.name}' must have return_sequences=False and "
                f"return_state=False: its last output stands for a sentence in layer "
                f"'{self.name}'."
            )
        if getattr(inner, "merge_mode", "") is None:
            raise ValueError(
                f"Layer '{inner.name}' must merge its two outputs for layer "
                f"'{self.name}'. Received: merge_mode=None"
            )
        self.inner, self.outer = inner, outer
        self.supports_masking = True

    def build(self, input_shape):
        self._check(input_shape)
        batch, sentences, words, features = input_shape
        # A layer that comes from a file is already built.
        if not self.inner.built:
            self.inner.build((None, words, features))
        if not self.outer.built:
            self.outer.build((batch, sentences, self.inner.output_size))
        self.built = True

    def call(self, inputs, mask=None, initial_state=None, training=None):
        inputs, mask = ops.convert_to_tensor(inputs), mask_tensor(mask)
        self._check(inputs.shape, mask)
        batch, sentences, words, features = ops.shape(inputs)
        inputs = ops.reshape(inputs, (-1, words, features))
        known = None
        if mask is not None:
            known = ops.any(mask, -1)
            mask = ops.reshape(mask, (-1, words))
        read = self.inner(inputs, mask=mask, training=training)
        read = ops.reshape(read, (batch, sentences, self.inner.output_size))
        return self.outer(
            read, mask=known, initial_state=initial_state, training=training
        )

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        self._check(inputs.shape, mask)
        read = (*inputs.shape[:2], self.inner.output_size)
        read = keras.KerasTensor(read, self.inner.compute_dtype)
        return self.outer.compute_output_spec(read, None, initial_state)

    def compute_mask(self, inputs, mask=None):
        if mask is not None:
            mask = ops.any(ops.cast(mask, "bool"), -1)
        return self.outer.compute_mask(None, mask)

    def _check(self, shape, mask=None):
        who, shape = f"Layer '{self.name}' ({type(self).__name__})", tuple(shape)
        if len(shape) != 4:
            raise ValueError(
                f"{who} takes inputs of shape (batch, sentences, words, features). "
                f"Received shape: {shape}"
            )
        if 0 in shape[1:3]:
            raise ValueError(
                f"{who} needs at least one sentence and one word, if masked ones. "
                f"Received shape: {shape}"
            )
        if mask is None:
            return
        pairs = zip(mask.shape, shape[:3], strict=False)
        if len(mask.shape) != 3 or any(
            a is not None and b is not None and a != b for a, b in pairs
        ):
            raise ValueError(
                f"{who} takes a mask of shape (batch, sentences, words) = "
                f"{shape[:3]}. Received shape: {tuple(mask.shape)}"
            )

    def get_config(self):
        config = super().get_config()
        layers = {"inner": self.inner, "outer": self.outer}
        layers = {
            name: keras.saving.serialize_keras_object(layer)
            for name, layer in layers.items()
        }
        return {**config, **layers}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("inner", "outer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
