"""The independently recurrent network."""

import keras
from keras import initializers, ops

from zoo.layers.kernel_options import KernelOptions
from zoo.layers.recurrent import Recurrent, check_size
from zoo.ops.activation import check_activation
from zoo.ops.ind_rnn import ind_rnn


@keras.saving.register_keras_serializable(package="zoo")
class IndRNN(KernelOptions, Recurrent):
    r"""Independently recurrent network: each unit has one recurrent weight, its own.

    $$ h_t = \phi(x_t W + u \odot h_{t-1} + b), \qquad |u| \le 2^{1/T} $$

    A unit's gradient over $T$ steps has the factor $u^T$ (and the slopes of $\phi$),
    so bounding $|u|$ by $2^{1/T}$ keeps it from exploding, and weights close to 1 keep
    it from vanishing. Units meet only in the next layer's kernel; depth is cheap, with
    `zoo.layers.SequenceBatchNormalization` between layers.

    With `time_steps` the bound holds exactly: larger weights are clipped in the forward
    pass. A constraint also moves them back onto the bound after each step of a Keras
    optimizer, as the authors do, since a weight beyond the bound gets no gradient.

    Zoneout is no option; dropout of the state neither, as it would scale $u$ beyond
    its bound.

    Args:
        units: Size of the state and of the output.
        activation: `"relu"`, `"tanh"` or `"linear"`.
        time_steps: The number of steps $T$ that the network is to bridge, mostly the
            length of its sequences. `None` sets no bound.
        long_memory: Whether recurrent weights start in $[2^{-1/T}, 2^{1/T}]$, all of
            them remembering, instead of $[0, 2^{1/T}]$. For the last layer of tasks
            that ask only at the end for what was seen long before.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        use_bias: Whether to add a bias.
        kernel_initializer, bias_initializer: Initialisers.
        recurrent_initializer: Initialiser of $u$, shape `(units,)`. `None` draws as
            said at `long_memory`, from [0, 1] without `time_steps`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, **kwargs: See `Recurrent`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds the state.
        initial_state: List `[h]`, `(batch, units)`.
        training: Whether dropout is active.

    Raises:
        ValueError: If an option or a shape does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = IndRNN(8, time_steps=100, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 100, 3), "float32")).shape)
    (2, 100, 8)

    References:
        - Li et al., [Independently recurrent neural network (IndRNN): building a
          longer and deeper RNN](https://arxiv.org/abs/1803.04831), 2018
    """

    def __init__(
        self,
        units,
        *,
        activation="relu",
        time_steps=None,
        long_memory=False,
        recurrent_initializer=None,
        **kwargs,
    ):
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.activation = check_activation(self.name, activation)
        self.time_steps = None
        if time_steps is not None:
            self.time_steps = check_size(self.name, "time_steps", time_steps)
        self.long_memory = bool(long_memory)
        if self.long_memory and time_steps is None:
            raise ValueError(
                f"`long_memory` of layer '{self.name}' needs `time_steps`, the number "
                "of steps to bridge. Received: time_steps=None"
            )

    @property
    def recurrent_bound(self):
        """Largest modulus of a recurrent weight; `None` without `time_steps`."""
        return None if self.time_steps is None else 2 ** (1 / self.time_steps)

    def build(self, input_shape):
        n, bounded = self.units, self.time_steps is not None
        constraint = self._within_bound if bounded else None
        self._add_kernels(input_shape[-1], n, (n,), (n,), constraint=constraint)

    def _within_bound(self, weights):
        bound = self.recurrent_bound
        return ops.clip(weights, -bound, bound)

    def _initial_recurrent_kernel(self, shape, dtype=None):
        if self.recurrent_initializer is not None:
            return super()._initial_recurrent_kernel(shape, dtype)
        high = self.recurrent_bound or 1.0
        low = 1 / high if self.long_memory else 0.0
        draw = initializers.RandomUniform(low, high, seed=self.seed)
        return ops.cast(draw(shape, dtype=self.state_dtype), dtype)

    def scan(self, inputs, mask, state, training):
        if self.bias is None:
            bias = ops.zeros((self.units,), self.state_dtype)
        else:
            bias = self._weight(self.bias)
        h = ind_rnn(
            self._drop_inputs(inputs, training),
            self._weight(self.kernel),
            self._weight(self.recurrent_kernel),
            bias,
            state[0],
            activation=self.activation,
            bound=self.recurrent_bound,
            hold=None if mask is None else ops.expand_dims(~mask, -1),
            reverse=self.reverse,
            compute_dtype=self._product_dtype,
        )
        return h, (h[0 if self.reverse else -1],)

    def get_config(self):
        return {
            **super().get_config(),
            "activation": self.activation,
            "time_steps": self.time_steps,
            "long_memory": self.long_memory,
        }
