"""Recurrent layers on top of each other."""

import keras


@keras.saving.register_keras_serializable(package="zoo")
class Stack(keras.layers.Layer):
    """Feeds a sequence through recurrent layers, one after the other.

    Each layer gets the mask by name, and its own part of the states.

    Args:
        layers: List of recurrent layers, `Bidirectional` or `Stack` layers of this
            package. All but the last must have `return_sequences=True`; whether
            states come back is this layer's to say, theirs must say the same.
        return_state: Whether to return the final states of all layers.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, given to each layer.
        initial_state: List of the states of all layers, from the first to the last.
        training: Given to each layer.

    Returns:
        The output of the last layer; with `return_state`, a tuple of it and the
        states of all layers.

    Example:

    >>> import numpy as np
    >>> from zoo.layers import ZoneoutLSTM
    >>> layers = [ZoneoutLSTM(4, return_sequences=True), ZoneoutLSTM(3)]
    >>> tuple(Stack(layers)(np.zeros((2, 5, 3), "float32")).shape)
    (2, 3)
    """

    def __init__(self, layers, return_state=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        layers = list(layers)
        if not layers:
            raise ValueError("`layers` must name at least one recurrent layer.")
        for layer in layers:
            if not hasattr(layer, "state_sizes"):
                raise ValueError(
                    "`layers` must be recurrent layers of zoo.layers. "
                    f"Received: {layer!r}"
                )
            if _returns_state(layer) != bool(return_state):
                raise ValueError(
                    f"Layer '{layer.name}' must have return_state={return_state}, as "
                    f"the stack '{self.name}' has."
                )
        for layer in layers[:-1]:
            if not layer.return_sequences:
                raise ValueError(
                    f"Layer '{layer.name}' must have return_sequences=True: another "
                    f"layer of the stack '{self.name}' follows it."
                )
        self.layers = layers
        self.return_state = bool(return_state)
        self.supports_masking = True

    @property
    def units(self):
        """Size of the last layer's output."""
        return self.layers[-1].units

    @property
    def return_sequences(self):
        """Whether outputs have a time axis."""
        return self.layers[-1].return_sequences

    @property
    def state_sizes(self):
        """Tuple of the sizes of the states of all layers."""
        return tuple(n for layer in self.layers for n in layer.state_sizes)

    def build(self, input_shape):
        for layer in self.layers:
            # A layer that comes from a file is already built.
            if not layer.built:
                layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.units)
        self.built = True

    def call(self, inputs, mask=None, initial_state=None, training=None):
        return self._each(
            lambda layer, x, state: layer(
                x, mask=mask, initial_state=state, training=training
            ),
            inputs,
            initial_state,
        )

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        return self._each(
            lambda layer, x, state: layer.compute_output_spec(x, mask, state),
            inputs,
            initial_state,
        )

    def _each(self, run, x, initial_state):
        if initial_state is not None and len(initial_state) != len(self.state_sizes):
            raise ValueError(
                f"Layer '{self.name}' takes {len(self.state_sizes)} initial states. "
                f"Received: {len(initial_state)}"
            )
        states, start = [], 0
        for layer in self.layers:
            state = None
            if initial_state is not None:
                end = start + len(layer.state_sizes)
                state, start = list(initial_state[start:end]), end
            x = run(layer, x, state)
            if self.return_state:
                x, *new = x
                states += new
        return (x, *states) if self.return_state else x

    def compute_mask(self, inputs, mask=None):
        mask = mask if self.return_sequences else None
        return (mask, *(None for _ in self.state_sizes)) if self.return_state else mask

    def get_config(self):
        config = super().get_config()
        layers = [keras.saving.serialize_keras_object(x) for x in self.layers]
        return {**config, "layers": layers, "return_state": self.return_state}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        layers = [
            keras.saving.deserialize_keras_object(x) for x in config.pop("layers")
        ]
        return cls(layers, **config)


def _returns_state(layer):
    return getattr(layer, "forward_layer", layer).return_state
