"""The minimal LSTM."""

import keras
from keras import ops

from zoo.layers.input_gates import InputGates, check_number
from zoo.layers.recurrent import Recurrent
from zoo.ops.linear_scan import linear_scan
from zoo.ops.minimal import activation_name, candidate_activation


@keras.saving.register_keras_serializable(package="zoo")
class MinLSTM(InputGates, Recurrent):
    r"""A long short-term memory whose gates do not see the state.

    $$
    \begin{aligned}
    f_t &= \sigma(x_t W_f + b_f), \quad i_t = \sigma(x_t W_i + b_i), \quad
        \tilde h_t = g(x_t W_h + b_h) \\
    h_t &= \frac{f_t}{f_t + i_t} \odot h_{t-1}
        + \frac{i_t}{f_t + i_t} \odot \tilde h_t
    \end{aligned}
    $$

    There is neither a cell nor an output gate. As the gates are scaled to a sum of 1,
    the size of the state does not depend on the length of the sequence.

    Args:
        units: Size of the state and of the output.
        activation: $g$: `None` for none, `"g"` for that of the paper's form in
            logarithms ($x + 0.5$ from 0 on, $\sigma(x)$ below: always positive), or
            the name of an activation of Keras, or a function that Keras can save.
        forget_bias: The value at which the biases of f start; above 0, more of the
            state is kept. `None` leaves them to `bias_initializer`.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        use_bias: Whether to add biases.
        kernel_initializer, bias_initializer: Initialisers. The kernel is `(features,
            3 * units)`: f, i, then the candidate.
        kernel_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, engine, **kwargs: See
            `Recurrent`. There are the engines `"loop"` and `"parallel"`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds the state.
        initial_state: List `[h]`, `(batch, units)`.
        training: Whether to drop inputs at random.

    Raises:
        ValueError: If an option or a shape does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = MinLSTM(8, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    Reference:
        - Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, [Were RNNs all we needed?](
          https://arxiv.org/abs/2410.01201), 2024
    """

    def __init__(self, units, *, activation=None, forget_bias=1.0, **kwargs):
        super().__init__(units, **kwargs)
        self.activation = candidate_activation(self.name, activation)
        self.forget_bias = check_number(self.name, "forget_bias", forget_bias)

    def build(self, input_shape):
        self.input_features = input_shape[-1]
        self.kernel = self._add_kernel((self.input_features, 3 * self.units))
        self.bias = self._add_bias(3 * self.units, gate=0, value=self.forget_bias)
        self.built = True

    def scan(self, inputs, mask, state, training):
        u = self._project(self._drop(inputs, training), self.kernel, self.bias)
        f, i, candidate = ops.split(u, 3, -1)
        # f / (f + i) as a sigmoid: in the quotient, both could be rounded to 0.
        more = ops.softplus(-i) - ops.softplus(-f)
        h = linear_scan(
            ops.sigmoid(more),
            ops.sigmoid(-more) * self.activation(candidate),
            state[0],
            mask=mask,
            reverse=self.reverse,
            engine=self.chosen_engine(),
        )
        return h, (h[0 if self.reverse else -1],)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "activation": activation_name(self.activation),
            "forget_bias": self.forget_bias,
        }
