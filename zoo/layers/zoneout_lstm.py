"""LSTM with zoneout."""

import keras
from keras import initializers, ops, regularizers

from zoo.layers.recurrent import Recurrent, check_rate
from zoo.ops.lstm import lstm
from zoo.ops.normalization import normalize
from zoo.ops.zoneout import zoneout_mask


@keras.saving.register_keras_serializable(package="zoo")
class ZoneoutLSTM(Recurrent):
    r"""Long short-term memory that keeps random parts of its state (zoneout).

    $$
    \begin{aligned}
    i, f, o &= \sigma(x_t W_{ifo} + h_{t-1} U_{ifo} + b_{ifo}) \\
    g &= \tanh(x_t W_g + h_{t-1} U_g + b_g) \\
    \tilde c_t &= f \odot c_{t-1} + i \odot g \\
    c_t &= d^c_t \odot c_{t-1} + (1 - d^c_t) \odot \tilde c_t \\
    h_t &= d^h_t \odot h_{t-1} + (1 - d^h_t) \odot o \odot \tanh(\tilde c_t)
    \end{aligned}
    $$

    In training, each entry of $d^c_t$ and $d^h_t$ is 1 with probability `zoneout_c`
    and `zoneout_h`, drawn anew for every step, unit and call; at inference both are
    their expectations. With both rates 0 this is the plain LSTM, with the weight
    layout of `keras.layers.LSTM`.

    With `layer_norm`, $x_t W$ and $h_{t-1} U$ are normalised over the gates and
    $\tilde c_t$ over the units before its tanh, each with a gain of its own.

    Args:
        units: Size of the states and of the output.
        zoneout_h: Probability that a unit of the hidden state keeps its value.
        zoneout_c: The same for the cell state. The paper uses 0.05 and 0.5 for
            characters, 0.15 for both on sequences of pixels.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        recurrent_dropout: The same on the hidden state, where it enters the
            recurrent product.
        layer_norm: Whether to normalise, as Ba et al. (2016).
        use_bias: Whether to add biases.
        unit_forget_bias: Whether the forget gate's bias starts at 1.
        kernel_initializer, recurrent_initializer, bias_initializer: Initialisers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, **kwargs: See `Recurrent`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds both states.
        initial_state: List `[h, c]`, each `(batch, units)`.
        training: Whether masks are random (`True`) or replaced by expectations.

    Example:

    >>> import numpy as np
    >>> layer = ZoneoutLSTM(8, zoneout_h=0.05, zoneout_c=0.5, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    References:
        - Hochreiter and Schmidhuber, [Long short-term memory](
          https://doi.org/10.1162/neco.1997.9.8.1735), 1997
        - Krueger et al., [Zoneout: regularizing RNNs by randomly preserving hidden
          activations](https://arxiv.org/abs/1606.01305), 2017
        - Gal and Ghahramani, [A theoretically grounded application of dropout in
          recurrent neural networks](https://arxiv.org/abs/1512.05287), 2016
        - Ba, Kiros and Hinton, [Layer normalization](
          https://arxiv.org/abs/1607.06450), 2016
    """

    def __init__(
        self,
        units,
        *,
        zoneout_h=0.0,
        zoneout_c=0.0,
        dropout=0.0,
        recurrent_dropout=0.0,
        layer_norm=False,
        use_bias=True,
        unit_forget_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.zoneout_h = check_rate(self.name, "zoneout_h", zoneout_h)
        self.zoneout_c = check_rate(self.name, "zoneout_c", zoneout_c)
        self.dropout = check_rate(self.name, "dropout", dropout)
        self.recurrent_dropout = check_rate(
            self.name, "recurrent_dropout", recurrent_dropout
        )
        self.layer_norm = bool(layer_norm)
        self.use_bias = bool(use_bias)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    @property
    def state_sizes(self):
        return (self.units, self.units)

    def build(self, input_shape):
        gates = 4 * self.units
        self.input_features = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(self.input_features, gates),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, gates),
            name="recurrent_kernel",
            initializer=self._initial_recurrent_kernel,
            regularizer=self.recurrent_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(gates,),
                name="bias",
                initializer=self._initial_bias,
                regularizer=self.bias_regularizer,
            )
        if self.layer_norm:
            self.input_gain = self._add_gain("input_gain", gates)
            self.recurrent_gain = self._add_gain("recurrent_gain", gates)
            self.cell_gain = self._add_gain("cell_gain", self.units)
            self.cell_bias = self._add_gain("cell_bias", self.units, "zeros")
        self.built = True

    def _add_gain(self, name, size, initializer="ones"):
        return self.add_weight(shape=(size,), name=name, initializer=initializer)

    def _initial_recurrent_kernel(self, shape, dtype=None):
        # "orthogonal" decomposes a matrix, which TensorFlow cannot in bfloat16.
        kernel = self.recurrent_initializer(shape, dtype=self.state_dtype)
        return ops.cast(kernel, dtype)

    def _initial_bias(self, shape, dtype=None):
        bias = self.bias_initializer(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        n = self.units
        return ops.concatenate([bias[:n], ops.ones((n,), dtype), bias[2 * n :]], 0)

    def scan(self, inputs, mask, state, training):
        h0, c0 = state
        time, batch, features = ops.shape(inputs)
        dropped = None
        if training and self.dropout:
            inputs = inputs * self._dropout_mask(self.dropout, batch, features)
        if training and self.recurrent_dropout:
            dropped = self._dropout_mask(self.recurrent_dropout, batch, self.units)
            dropped = ops.cast(dropped, self.state_dtype)
        hold_h = hold_c = None if mask is None else ops.expand_dims(~mask, 1)
        rates = (self.zoneout_h, self.zoneout_c)
        if training:
            shape = (time, self.units, batch)
            hold_h = self._hold(rates[0], shape, hold_h)
            hold_c = self._hold(rates[1], shape, hold_c)
            rates = (0.0, 0.0)
        h, c = lstm(
            *self._operands(inputs),
            h0,
            c0,
            hold_h=hold_h,
            hold_c=hold_c,
            rate_h=rates[0],
            rate_c=rates[1],
            recurrent_mask=dropped,
            norm=self._norm(),
            reverse=self.reverse,
            compute_dtype=self.compute_dtype if self._half else None,
        )
        return h, (h[0 if self.reverse else -1], c)

    def _operands(self, inputs):
        """Inputs, kernel and bias as `lstm` takes them."""
        recurrent = self._weight(self.recurrent_kernel)
        if self.layer_norm:
            return None, recurrent, self._project(inputs)
        kernel = ops.concatenate([self._weight(self.kernel), recurrent], 0)
        if self.bias is None:
            bias = ops.zeros((4 * self.units,), self.state_dtype)
        else:
            bias = self._weight(self.bias)
        return ops.cast(inputs, self.state_dtype), kernel, bias

    def _project(self, inputs):
        """Normalised products of inputs and kernel, with bias, for all steps."""
        time, batch, features = ops.shape(inputs)
        flat = ops.reshape(inputs, (-1, features))
        z = flat @ ops.cast(self.kernel, self.compute_dtype)
        z = ops.cast(z, self.state_dtype)
        z = normalize(z)[0] * self._weight(self.input_gain)
        if self.bias is not None:
            z = z + self._weight(self.bias)
        return ops.reshape(z, (time, batch, 4 * self.units))

    @property
    def _half(self):
        return self.compute_dtype in ("bfloat16", "float16")

    def _norm(self):
        if not self.layer_norm:
            return None
        weights = (self.recurrent_gain, self.cell_gain, self.cell_bias)
        return tuple(map(self._weight, weights))

    def _weight(self, variable):
        return ops.cast(ops.convert_to_tensor(variable), self.state_dtype)

    def _dropout_mask(self, rate, batch, size):
        ones = ops.ones((batch, size), self.compute_dtype)
        return keras.random.dropout(ones, rate, seed=self.seed_generator)

    def _hold(self, rate, shape, masked):
        if not rate:
            return masked
        hold = zoneout_mask(rate, shape, self.seed_generator)
        return hold if masked is None else ops.logical_or(hold, masked)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "zoneout_h": self.zoneout_h,
            "zoneout_c": self.zoneout_c,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "layer_norm": self.layer_norm,
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }
