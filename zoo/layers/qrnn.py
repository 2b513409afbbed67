"""Quasi-recurrent neural network."""

import keras
from keras import ops

from zoo.layers.input_gates import InputGates, check_number
from zoo.layers.recurrent import Recurrent, check_rate
from zoo.ops.linear_scan import hold, linear_scan
from zoo.ops.lstm import tanh
from zoo.ops.qrnn import windows
from zoo.ops.zoneout import zoneout_mask

POOLINGS = {"f": "zf", "fo": "zfo", "ifo": "zfoi"}


@keras.saving.register_keras_serializable(package="zoo")
class QRNN(InputGates, Recurrent):
    r"""Gates from a convolution over time, and a recurrence without products.

    $$
    \begin{aligned}
    z_t &= \tanh(W_z * x), \quad f_t, o_t, i_t = \sigma(W_{foi} * x) \\
    \text{f:} \quad h_t &= f_t \odot h_{t-1} + (1 - f_t) \odot z_t \\
    \text{fo:} \quad c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot z_t, \quad
        h_t = o_t \odot c_t \\
    \text{ifo:} \quad c_t &= f_t \odot c_{t-1} + i_t \odot z_t, \quad
        h_t = o_t \odot c_t
    \end{aligned}
    $$

    $W * x$ sees the last `window` steps, each through a kernel of its own. All gates
    come from one product over all steps.

    Zoneout sets entries of the forget gate to 1, $f = 1 - d \odot (1 - \sigma(\cdot))$
    with entries of $d$ that are 0 with probability `zoneout`, and does not rescale the
    others: a unit then keeps its state for a step (with `ifo`, and adds to it). At
    inference $d$ is its expectation, $f = 1 - (1 - p) (1 - \sigma(\cdot))$. As the
    recurrence is linear in $d$, the state at inference is exactly the mean of the
    states that training draws.

    Masked steps are as if absent, for the window too: it sees the valid steps before.

    The states are `[h, c]` (with `f` pooling `[h]`), and with a causal `window` above
    1 the inputs of the last `window - 1` valid steps, `(batch, (window - 1) *
    features)`, the oldest first. `h` is shown by masked steps that come first, and
    enters no equation of `fo` and `ifo`.

    Args:
        units: Size of the states and of the output.
        window: Number of steps that the convolution sees.
        pooling: `"f"`, `"fo"` or `"ifo"`.
        centred: Whether the window has the present step in its middle, as
            `keras.layers.Conv1D` has with `padding="same"`; zeros stand around the
            sequence. It is meant for encoders: the layer then looks ahead, cannot run
            step by step, and sequences that are split have seams.
        zoneout: Probability that an entry of the forget gate becomes 1.
        forget_bias: The value at which the forget gate's biases start; above 0, more
            of the state is kept. `None` leaves them to `bias_initializer`.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        use_bias: Whether to add biases.
        kernel_initializer, bias_initializer: Initialisers. The kernel is `(window,
            features, gates * units)`, the oldest step first, the gates in the order
            z, f, o, i.
        kernel_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, engine, **kwargs: See
            `Recurrent`. There are the engines `"loop"` and `"parallel"`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds all states.
        initial_state: List of the states above.
        training: Whether masks are random (`True`) or replaced by expectations.

    Raises:
        ValueError: If an option or a shape does not fit, or if `step` is called with
            `centred`; the message names the layer, what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = QRNN(8, window=3, zoneout=0.1, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    Reference:
        - Bradbury, Merity, Xiong and Socher, [Quasi-recurrent neural networks](
          https://arxiv.org/abs/1611.01576), 2017
    """

    def __init__(
        self,
        units,
        *,
        window=2,
        pooling="fo",
        centred=False,
        zoneout=0.0,
        forget_bias=1.0,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise ValueError(
                f"`window` of layer '{self.name}' must be a positive integer. "
                f"Received: {window!r}"
            )
        if pooling not in POOLINGS:
            raise ValueError(
                f"`pooling` of layer '{self.name}' must be one of {tuple(POOLINGS)}. "
                f"Received: {pooling!r}"
            )
        self.window = window
        self.pooling = pooling
        self.centred = bool(centred)
        self.zoneout = check_rate(self.name, "zoneout", zoneout)
        self.forget_bias = check_number(self.name, "forget_bias", forget_bias)

    @property
    def state_sizes(self):
        sizes = (self.units,) if self.pooling == "f" else (self.units, self.units)
        if self.centred or self.window == 1:
            return sizes
        features = getattr(self, "input_features", None)
        # Before `build` nobody knows how wide the inputs are.
        return (*sizes, features and (self.window - 1) * features)

    def build(self, input_shape):
        self.input_features = input_shape[-1]
        columns = len(POOLINGS[self.pooling]) * self.units
        self.kernel = self._add_kernel((self.window, self.input_features, columns))
        self.bias = self._add_bias(columns, gate=1, value=self.forget_bias)
        self.built = True

    def scan(self, inputs, mask, state, training):
        h0, c0, before = self._unpack(state)
        run = {"reverse": self.reverse, "engine": self.chosen_engine()}
        after = self.window // 2 if self.centred else 0
        seen, before = windows(inputs, before, after, mask=mask, **run)
        z, f, *others = self._gates(seen, training)
        b = (others[1] if self.pooling == "ifo" else 1 - f) * z
        c = linear_scan(f, b, c0, mask=mask, **run)
        last = 0 if self.reverse else -1
        if self.pooling == "f":
            return c, (c[last], *self._pack(before))
        h = hold(others[0] * c, mask, h0, **run)
        return h, (h[last], c[last], *self._pack(before))

    def _gates(self, seen, training):
        u = self._drop(seen, training, self.window)
        u = self._project(u, self.kernel, self.bias)
        z, *gates = ops.split(u, len(POOLINGS[self.pooling]), -1)
        f, *others = (ops.sigmoid(x) for x in gates)
        if self.zoneout and training:
            kept = zoneout_mask(self.zoneout, ops.shape(f), self.seed_generator)
            f = ops.where(kept, 1, f)
        elif self.zoneout:
            f = f + self.zoneout * (1 - f)
        return tanh(z), f, *others

    def _unpack(self, state):
        """h, c, and the list of inputs before the first step."""
        h, *rest = state
        c = h if self.pooling == "f" else rest.pop(0)
        if rest:
            return h, c, ops.split(rest[0], self.window - 1, -1)
        before = (self.window - 1) // 2 if self.centred else 0
        zeros = ops.zeros((ops.shape(h)[0], self.input_features), self.state_dtype)
        return h, c, before * [zeros]

    def _pack(self, before):
        if self.centred or not before:
            return ()
        return (ops.cast(ops.concatenate(before, -1), self.state_dtype),)

    def step(self, inputs, state=None, training=False):
        if self.centred and self.window > 1:
            raise ValueError(
                f"Layer '{self.name}' (QRNN) cannot run step by step with "
                f"centred=True: it looks {self.window // 2} step(s) ahead. "
                "centred=False would work."
            )
        return super().step(inputs, state, training)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "window": self.window,
            "pooling": self.pooling,
            "centred": self.centred,
            "zoneout": self.zoneout,
            "forget_bias": self.forget_bias,
        }
