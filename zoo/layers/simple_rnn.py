"""The simple recurrent network."""

import keras
from keras import ops

from zoo.layers.kernel_options import ZoneoutOptions
from zoo.layers.recurrent import Recurrent
from zoo.ops.activation import check_activation
from zoo.ops.simple_rnn import simple_rnn


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(ZoneoutOptions, Recurrent):
    r"""Simple (vanilla, Elman) recurrent network, with zoneout if wanted.

    $$
    \begin{aligned}
    \tilde h_t &= \phi(x_t W + h_{t-1} U + b) \\
    h_t &= d_t \odot h_{t-1} + (1 - d_t) \odot \tilde h_t
    \end{aligned}
    $$

    In training, each entry of $d_t$ is 1 with probability `zoneout_h`, drawn anew for
    every step, unit and call; at inference it is its expectation. With a rate of 0
    this is Elman's network, with the weight layout of `keras.layers.SimpleRNN`.

    How it starts decides what it learns. `zoo.initializers.SpectralRadius` scales a
    random recurrent kernel as echo state networks do. With `activation="relu"`,
    `zoo.initializers.IRNN` starts from the identity, so that gradients neither vanish
    nor explode at first. With `activation="linear"` and
    `recurrent_initializer="orthogonal"`, the default, the state turns and loses
    nothing, however long the sequence: ten symbols come back after 500 steps, where an
    LSTM guesses, and most surely while the kernel is not trained
    (`benchmarks/results/papers`; `layer.recurrent_kernel.trainable = False` once the
    layer is built). `zoo.regularizers.SoftOrthogonal` holds a kernel that is trained
    near; what is not linear belongs into the layers above. Half precision rounds such a
    state at every step.

    Args:
        units: Size of the state and of the output.
        activation: `"tanh"`, `"relu"` or `"linear"`.
        zoneout_h: Probability that a unit of the state keeps its value.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        recurrent_dropout: The same on the state, where it enters the recurrent
            product.
        use_bias: Whether to add a bias.
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
    >>> from zoo.initializers import IRNN
    >>> layer = SimpleRNN(8, activation="relu", recurrent_initializer=IRNN())
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 8)

    References:
        - Elman, [Finding structure in time](
          https://doi.org/10.1207/s15516709cog1402_1), 1990
        - Le, Jaitly and Hinton, [A simple way to initialize recurrent networks of
          rectified linear units](https://arxiv.org/abs/1504.00941), 2015
        - Henaff, Szlam and LeCun, [Recurrent orthogonal networks and long-memory
          tasks](https://arxiv.org/abs/1602.06662), 2016
        - Krueger et al., [Zoneout: regularizing RNNs by randomly preserving hidden
          activations](https://arxiv.org/abs/1606.01305), 2017
    """

    def __init__(self, units, *, activation="tanh", **kwargs):
        super().__init__(units, **kwargs)
        self.activation = check_activation(self.name, activation)

    def build(self, input_shape):
        n = self.units
        self._add_kernels(input_shape[-1], n, (n, n), (n,))

    def scan(self, inputs, mask, state, training):
        kernels = [self._weight(self.kernel), self._weight(self.recurrent_kernel)]
        if self.bias is None:
            bias = ops.zeros((self.units,), self.state_dtype)
        else:
            bias = self._weight(self.bias)
        h = simple_rnn(
            self._drop_inputs(inputs, training),
            ops.concatenate(kernels, 0),
            bias,
            state[0],
            activation=self.activation,
            **self._noise(inputs, mask, training),
            reverse=self.reverse,
            compute_dtype=self._product_dtype,
        )
        return h, (h[0 if self.reverse else -1],)

    def get_config(self):
        return {**super().get_config(), "activation": self.activation}
