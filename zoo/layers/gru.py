"""GRU with zoneout."""

import keras
from keras import ops

from zoo.layers import keras_gru
from zoo.layers.kernel_options import ZoneoutOptions
from zoo.layers.recurrent import Recurrent
from zoo.ops.gru import gru


@keras.saving.register_keras_serializable(package="zoo")
class GRU(ZoneoutOptions, Recurrent):
    r"""Gated recurrent unit that keeps random parts of its state (zoneout).

    $$
    \begin{aligned}
    z, r &= \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr}) \\
    g &= \tanh(x_t W_g + b_g + r \odot (h_{t-1} U_g + b'_g)) \\
    \tilde h_t &= z \odot h_{t-1} + (1 - z) \odot g \\
    h_t &= d_t \odot h_{t-1} + (1 - d_t) \odot \tilde h_t
    \end{aligned}
    $$

    In training, each entry of $d_t$ is 1 with probability `zoneout_h`, drawn anew for
    every step, unit and call; at inference it is its expectation.

    Without `reset_after`, the reset gate acts before the recurrent product, as in the
    paper: $g = \tanh(x_t W_g + b_g + (r \odot h_{t-1}) U_g)$.

    Equations, the order of gates (z, r, g) and the layout of weights are those of
    `keras.layers.GRU`: with `reset_after` the bias is `(2, 3 * units)`, one for the
    inputs and one for the state.

    Args:
        units: Size of the state and of the output.
        zoneout_h: Probability that a unit of the state keeps its value.
        reset_after: Whether the reset gate acts after the recurrent product.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        recurrent_dropout: The same on the state, where it enters the recurrent
            products.
        use_bias: Whether to add biases.
        kernel_initializer, recurrent_initializer, bias_initializer: Initialisers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, **kwargs: See `Recurrent`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds the state.
        initial_state: List `[h]`, `(batch, units)`.
        training: Whether masks are random (`True`) or replaced by expectations.

    Raises:
        ValueError: If an option or a shape does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = GRU(8, zoneout_h=0.1, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    References:
        - Cho et al., [Learning phrase representations using RNN encoder-decoder for
          statistical machine translation](https://arxiv.org/abs/1406.1078), 2014
        - Krueger et al., [Zoneout: regularizing RNNs by randomly preserving hidden
          activations](https://arxiv.org/abs/1606.01305), 2017
        - Gal and Ghahramani, [A theoretically grounded application of dropout in
          recurrent neural networks](https://arxiv.org/abs/1512.05287), 2016
    """

    def __init__(self, units, *, reset_after=True, **kwargs):
        super().__init__(units, **kwargs)
        self.reset_after = bool(reset_after)

    def build(self, input_shape):
        gates = 3 * self.units
        bias_shape = (2, gates) if self.reset_after else (gates,)
        self._add_kernels(input_shape[-1], gates, (self.units, gates), bias_shape)

    def scan(self, inputs, mask, state, training):
        bias, candidate_bias = self._biases()
        h = gru(
            self._drop_inputs(inputs, training),
            self._weight(self.kernel),
            self._weight(self.recurrent_kernel),
            bias,
            candidate_bias,
            state[0],
            **self._noise(inputs, mask, training),
            reset_after=self.reset_after,
            reverse=self.reverse,
            compute_dtype=self._product_dtype,
        )
        return h, (h[0 if self.reverse else -1],)

    def _biases(self):
        """The bias of all gates, and that of the candidate's recurrent part."""
        n, none = 2 * self.units, ops.zeros((self.units,), self.state_dtype)
        if self.bias is None:
            return ops.zeros((3 * self.units,), self.state_dtype), none
        bias = self._weight(self.bias)
        if not self.reset_after:
            return bias, None
        return bias[0] + ops.concatenate([bias[1, :n], none], 0), bias[1, n:]

    @classmethod
    def from_keras(cls, layer, **options):
        """Makes a layer with the options and the weights of a `keras.layers.GRU`.

        Args:
            layer: The Keras layer, built or not.
            **options: Options of this class, in place of those of the layer.

        Raises:
            ValueError: If the layer has an option that this class has not.
        """
        return keras_gru.from_keras(cls, layer, **options)

    def to_keras(self):
        """Makes a `keras.layers.GRU` with the options and weights of this layer.

        Raises:
            ValueError: If this layer has an option that Keras' layer has not.
        """
        return keras_gru.to_keras(self)

    def get_config(self):
        return {**super().get_config(), "reset_after": self.reset_after}
