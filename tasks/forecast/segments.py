"""Recurrence over segments: one step out from a state for each future segment."""

import keras
import numpy as np
from keras import ops

from zoo.layers import GRU, IndRNN
from zoo.ops.zoneout import zoneout_mask


@keras.saving.register_keras_serializable(package="tasks")
class SegmentDecoder(keras.layers.Layer):
    r"""Steps a recurrent encoder once more, for each future segment on its own.

    All segments start from the encoder's final state $h$; what tells them apart is the
    input, a learned vector $p_s$ for the segment's position, with what is known of the
    row $e$ and of the segment's future $f_s$ added:

    $$ y_s = \text{step}(p_s + e + f_s, h), \qquad s = 1 \dots S $$

    As $p_s$ does not depend on the row, and $e$ and $h$ not on the segment, a single
    GRU or IndRNN multiplies each of them with its kernel once, not once a segment and
    row; results are the same up to rounding.

    Args:
        encoder: The `zoo.layers.Stack` that made the state; its weights are used here.
        segments: Number of future segments.
        features: Size of the encoder's inputs.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        states: List of the encoder's final states.
        row: `(rows, features)`, or `None`.
        future: `(rows, segments, features)`, or `None`.

    Returns:
        `(rows, segments, units)`.

    Reference:
        - Lin et al., [SegRNN: segment recurrent neural network for long-term time
          series forecasting](https://arxiv.org/abs/2308.11200), 2023
    """

    def __init__(self, encoder, segments, features, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.segments, self.features = segments, features

    def build(self, *_):
        self.position = self.add_weight(
            shape=(self.segments, self.features),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="position",
        )
        self.built = True

    def call(self, states, row=None, future=None, training=False):
        encoder, position = self.encoder, ops.convert_to_tensor(self.position)
        parts = [ops.expand_dims(position, 0)]
        if row is not None:
            parts.append(ops.expand_dims(row, 1))
        if future is not None:
            parts.append(future)
        step = _shared_step(encoder, training)
        if step is not None:
            return step(encoder.layers[0], parts, ops.expand_dims(states[0], 1))
        return self._step_each(encoder, sum(parts), states, training)

    def _step_each(self, encoder, x, states, training):
        count = ops.shape(states[0])[0]
        x = ops.broadcast_to(x, (count, self.segments, self.features))
        x = ops.reshape(x, (-1, 1, self.features))
        states = [ops.repeat(state, self.segments, 0) for state in states]
        output, *_ = encoder(x, initial_state=states, training=training)
        return ops.reshape(output, (-1, self.segments, output.shape[-1]))

    def compute_output_spec(self, states, row=None, future=None, training=False):
        units = self.encoder.output_size
        return keras.KerasTensor((states[0].shape[0], self.segments, units))

    def get_config(self):
        raise NotImplementedError("A segment decoder shares its encoder's weights.")


def _shared_step(encoder, training):
    """The step that shares products between segments, where the encoder has one."""
    if len(encoder.layers) > 1:
        return None
    (layer,) = encoder.layers
    if layer.compute_dtype != "float32" or (training and layer.dropout):
        return None
    if type(layer) is IndRNN:
        return _ind_rnn_step
    plain = type(layer) is GRU and layer.reset_after and not layer.zoneout_h
    return _gru_step if plain and not layer.recurrent_dropout else None


def _product(x, kernel):
    # As one plain matrix: a batch of products has a gradient as large as all of them.
    y = ops.reshape(x, (-1, x.shape[-1])) @ kernel
    return ops.reshape(y, (-1, *x.shape[1:-1], kernel.shape[-1]))


def _project(parts, kernel, bias):
    """`sum(parts) @ kernel + bias`, each part multiplied at its own size."""
    return sum(_product(part, kernel) for part in parts) + bias


def _gru_step(layer, parts, h):
    n = layer.units
    kernel = ops.convert_to_tensor(layer.kernel)
    bias, candidate_bias = layer._biases()
    x = _project(parts, kernel, bias)
    u = _product(h, ops.convert_to_tensor(layer.recurrent_kernel))
    z, r = ops.split(ops.sigmoid(x[..., : 2 * n] + u[..., : 2 * n]), 2, -1)
    g = ops.tanh(x[..., 2 * n :] + r * (u[..., 2 * n :] + candidate_bias))
    return g + z * (h - g)


def _ind_rnn_step(layer, parts, h):
    weights = ops.convert_to_tensor(layer.recurrent_kernel)
    if layer.recurrent_bound is not None:
        weights = ops.clip(weights, -layer.recurrent_bound, layer.recurrent_bound)
    bias = 0.0 if layer.bias is None else ops.convert_to_tensor(layer.bias)
    x = _project(parts, ops.convert_to_tensor(layer.kernel), bias) + weights * h
    return ops.relu(x) if layer.activation == "relu" else ops.tanh(x)


@keras.saving.register_keras_serializable(package="tasks")
class FastDropout(keras.layers.Layer):
    """Dropout whose random numbers cost next to nothing on a CPU.

    XLA's own generator takes longer there than a whole segment's arithmetic; this one
    takes a byte a number, see `zoo.ops.zoneout`.

    Args:
        rate: Part of the numbers that are dropped.
        seed: Integer.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(rows, time, features)`.
        training: Whether to drop.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"`dropout` must be from 0 to below 1. Received: {rate}")
        self.rate, self.seed = float(rate), seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        dropped = zoneout_mask(self.rate, tuple(ops.shape(inputs)), self.seed_generator)
        return ops.where(dropped, 0.0, inputs * np.float32(1 / (1 - self.rate)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
