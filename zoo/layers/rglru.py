"""The real-gated linear recurrent unit."""

import keras
import numpy as np
from keras import ops

from zoo.layers.input_gates import InputGates
from zoo.layers.recurrent import Recurrent
from zoo.ops.activation import at_least
from zoo.ops.linear_scan import linear_scan

# Below it the root of 1 - a * a has no finite gradient in float32.
TINY = 1e-30


@keras.saving.register_keras_serializable(package="zoo")
class RGLRU(InputGates, Recurrent):
    r"""Real-gated linear recurrent unit: a decay per unit, and gates that slow it.

    $$
    \begin{aligned}
    \tilde x_t &= x_t W + b \\
    r_t, i_t &= \sigma(\tilde x_t W_{ri} + b_{ri}) \\
    a_t &= \sigma(\Lambda)^{c\, r_t} \\
    h_t &= a_t \odot h_{t-1} + \sqrt{1 - a_t^2} \odot (i_t \odot \tilde x_t)
    \end{aligned}
    $$

    $\tilde x$ is the linear map that stands before the unit in the paper's block; it
    makes `units` of any number of features. The root keeps the size of the state:
    inputs of variance 1 make states of at most that. Gates, roots and states are
    float32 also where the products are of half precision.

    Args:
        units: Size of the state and of the output.
        project: Whether to map the inputs to `units`. Without, the layer is the unit
            alone, and takes inputs with `units` features.
        power: $c$, how much faster than its slowest a unit can decay.
        decay_range: Pair of numbers in (0, 1): between them, $\sigma(\Lambda)$ is
            drawn at the start.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        use_bias: Whether to add biases.
        kernel_initializer, bias_initializer: Initialisers. The kernels are
            `(features, units)`, and `(units, 2 * units)`: r, then i.
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
    >>> layer = RGLRU(8, return_sequences=True)
    >>> tuple(layer(np.zeros((2, 5, 3), "float32")).shape)
    (2, 5, 8)

    Reference:
        - De, Smith, Fernando et al., [Griffin: mixing gated linear recurrences with
          local attention for efficient language models](
          https://arxiv.org/abs/2402.19427), 2024
    """

    def __init__(
        self, units, *, project=True, power=8.0, decay_range=(0.9, 0.999), **kwargs
    ):
        super().__init__(units, **kwargs)
        self.project = bool(project)
        if not _is_number(power) or not 0 < power < np.inf:
            raise ValueError(
                f"`power` of layer '{self.name}' must be a positive number. "
                f"Received: {power!r}"
            )
        if not _is_range(decay_range):
            raise ValueError(
                f"`decay_range` of layer '{self.name}' must be two numbers between 0 "
                f"and 1, the smaller one first. Received: {decay_range!r}"
            )
        self.power = float(power)
        self.decay_range = tuple(map(float, decay_range))

    def build(self, input_shape):
        self.input_features = input_shape[-1]
        units = self.units
        self.kernel = self.bias = None
        if self.project:
            self.kernel = self._add_kernel((self.input_features, units))
            self.bias = self._add_bias(units)
        elif self.input_features != units:
            raise ValueError(
                f"Layer '{self.name}' (RGLRU) with project=False takes inputs of "
                f"{units} features, as many as it has units. Received shape: "
                f"{tuple(input_shape)}"
            )
        self.gate_kernel = self._add_kernel((units, 2 * units), "gate_kernel")
        self.gate_bias = self._add_bias(2 * units, "gate_bias")
        self.decay = self.add_weight(
            shape=(units,), name="decay", initializer=self._initial_decay
        )
        self.built = True

    def _initial_decay(self, shape, dtype=None):
        low, high = self.decay_range
        seed = self.seed_generator
        a = keras.random.uniform(shape, low, high, self.state_dtype, seed)
        return ops.cast(ops.log(a) - ops.log1p(-a), dtype)

    def scan(self, inputs, mask, state, training):
        x = self._drop(inputs, training)
        if self.project:
            x = self._project(x, self.kernel, self.bias)
        gates = ops.sigmoid(self._project(x, self.gate_kernel, self.gate_bias))
        r, i = ops.split(gates, 2, -1)
        x = ops.cast(x, self.state_dtype)
        # In logarithms: sigma(decay) near 1 would lose its digits.
        log_a = -self.power * r * ops.softplus(-self._weight(self.decay))
        rest = at_least(-ops.expm1(2 * log_a), TINY)
        h = linear_scan(
            ops.exp(log_a),
            ops.sqrt(rest) * (i * x),
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
            "project": self.project,
            "power": self.power,
            "decay_range": list(self.decay_range),
        }


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_range(pair):
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return False
    return all(map(_is_number, pair)) and 0 < pair[0] <= pair[1] < 1
