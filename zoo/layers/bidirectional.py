"""Two layers over one sequence, in opposite directions."""

import keras
from keras import ops

from zoo.layers.output_shape import OutputShape

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


@keras.saving.register_keras_serializable(package="zoo")
class Bidirectional(OutputShape, keras.layers.Layer):
    r"""Runs a recurrent layer forwards, and a copy of it backwards.

    $$y_t = [\overrightarrow h_t ; \overleftarrow h_t]$$

    The backward layer starts at the last valid step of each row, whatever the
    pattern of its mask, and its outputs stand at the steps they belong to.

    Args:
        layer: A recurrent layer of this package. It becomes the forward layer; the
            backward one is made from its options, with weights of its own.
        merge_mode: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or `None` to return both.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, given to both layers.
        initial_state: The states of the forward and then of the backward layer.
        training: Given to both layers.

    Returns:
        As the layer's own, merged: with `concat`, `(batch, time, 2 * units)`. With
        `return_state`, the states of both layers follow.

    Example:

    >>> import numpy as np
    >>> from zoo.layers import ZoneoutLSTM
    >>> layer = Bidirectional(ZoneoutLSTM(4, return_sequences=True))
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    Reference:
        - Schuster and Paliwal, [Bidirectional recurrent neural networks](
          https://doi.org/10.1109/78.650093), 1997
    """

    def __init__(self, layer, merge_mode="concat", **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not hasattr(layer, "state_sizes") or not hasattr(layer, "reverse"):
            raise ValueError(
                f"`layer` must be a recurrent layer of zoo.layers. Received: {layer!r}"
            )
        if merge_mode not in MERGE_MODES:
            raise ValueError(
                f"`merge_mode` must be one of {MERGE_MODES}. Received: {merge_mode!r}"
            )
        self.forward_layer = layer
        config = layer.get_config()
        config["reverse"] = not layer.reverse
        config["name"] = f"backward_{layer.name}"
        if layer.seed is not None:
            config["seed"] = layer.seed + 1
        self.backward_layer = type(layer).from_config(config)
        self.merge_mode = merge_mode
        self.supports_masking = True

    @property
    def output_size(self):
        """Number of features of the merged output."""
        return self.forward_layer.output_size * (1 + (self.merge_mode == "concat"))

    @property
    def units(self):
        """Size of the merged output."""
        return self.output_size

    @property
    def return_state(self):
        """Whether states come back."""
        return self.forward_layer.return_state

    @property
    def return_sequences(self):
        """Whether outputs have a time axis."""
        return self.forward_layer.return_sequences

    @property
    def state_sizes(self):
        """Tuple of the sizes of the states of both layers."""
        return self.forward_layer.state_sizes + self.backward_layer.state_sizes

    def build(self, input_shape):
        for layer in (self.forward_layer, self.backward_layer):
            # A layer that comes from a file is already built.
            if not layer.built:
                layer.build(input_shape)
        self.built = True

    def call(self, inputs, mask=None, initial_state=None, training=None):
        return self._both(
            lambda layer, state: layer(
                inputs, mask=mask, initial_state=state, training=training
            ),
            initial_state,
            self._merge,
        )

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        return self._both(
            lambda layer, state: layer.compute_output_spec(inputs, mask, state),
            initial_state,
            self._merge_spec,
        )

    def _both(self, run, initial_state, merge):
        first = second = None
        if initial_state is not None:
            n = len(self.forward_layer.state_sizes)
            if len(initial_state) != 2 * n:
                raise ValueError(
                    f"Layer '{self.name}' takes {2 * n} initial states, the forward "
                    f"layer's and then the backward's. Received: {len(initial_state)}"
                )
            first, second = list(initial_state[:n]), list(initial_state[n:])
        forward = run(self.forward_layer, first)
        backward = run(self.backward_layer, second)
        if not self.forward_layer.return_state:
            return merge(forward, backward)
        merged = merge(forward[0], backward[0])
        merged = merged if isinstance(merged, tuple) else (merged,)
        return (*merged, *forward[1:], *backward[1:])

    def _merge(self, forward, backward):
        if self.merge_mode == "concat":
            return ops.concatenate([forward, backward], -1)
        if self.merge_mode == "sum":
            return forward + backward
        if self.merge_mode == "mul":
            return forward * backward
        if self.merge_mode == "ave":
            return (forward + backward) / 2
        return forward, backward

    def _merge_spec(self, forward, backward):
        if self.merge_mode is None:
            return forward, backward
        shape = (*forward.shape[:-1], self.output_size)
        return keras.KerasTensor(shape, forward.dtype)

    def compute_mask(self, inputs, mask=None):
        one = mask if self.return_sequences else None
        masks = (one, one) if self.merge_mode is None else (one,)
        if self.forward_layer.return_state:
            masks += tuple(None for _ in self.state_sizes)
        return masks if len(masks) > 1 else one

    def get_config(self):
        config = super().get_config()
        layer = keras.saving.serialize_keras_object(self.forward_layer)
        return {**config, "layer": layer, "merge_mode": self.merge_mode}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)
