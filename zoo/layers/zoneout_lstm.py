"""LSTM with zoneout."""

import keras
from keras import initializers, ops

from zoo import devices
from zoo.layers import keras_lstm
from zoo.layers.kernel_options import KernelOptions
from zoo.layers.recurrent import Recurrent, check_rate, check_size
from zoo.ops.dropout import dropout_mask
from zoo.ops.lstm import lstm
from zoo.ops.lstm_step import lstm_step
from zoo.ops.normalization import normalize


@keras.saving.register_keras_serializable(package="zoo")
class ZoneoutLSTM(KernelOptions, Recurrent):
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

    With `peepholes`, gates see the cell: $i$ and $f$ add $p_{i,f} \odot c_{t-1}$ to
    what $\sigma$ takes, $o$ adds $p_o \odot \tilde c_t$, the cell before zoneout and
    normalisation. The $p$ start at 0. With `projection`, $o \odot \tanh(\tilde c_t)$
    is multiplied by a matrix $P$ before it becomes the new part of $h_t$, so that
    zoneout, recurrent dropout and the output see the projected state.

    Args:
        units: Size of the cell state, and without `projection` of the output.
        zoneout_h: Probability that a unit of the hidden state keeps its value.
        zoneout_c: The same for the cell state. The paper uses 0.05 and 0.5 for
            characters, 0.15 for both on sequences of pixels.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        recurrent_dropout: The same on the hidden state, where it enters the
            recurrent product.
        recurrent_dropconnect: Rate at which entries of the recurrent kernel are
            dropped in training, with one mask for all rows and steps of a call.
        layer_norm: Whether to normalise, as Ba et al. (2016).
        peepholes: Whether the gates see the cell state.
        projection: Size of the hidden state and of the output, if it is not `units`.
            Its kernel has the initialiser and the regulariser of `kernel`.
        use_bias: Whether to add biases.
        unit_forget_bias: Whether the forget gate's bias starts at 1.
        kernel_initializer, recurrent_initializer, bias_initializer: Initialisers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularisers.
        return_sequences, return_state, reverse, seed, **kwargs: See `Recurrent`.
        engine: `"loop"`, `"cudnn"` or `"auto"`; see `Recurrent`. cuDNN runs the plain
            LSTM in float32, with dropout on the inputs, without a mask. TensorFlow
            cannot compile it with XLA: there, `jit_compile=True` needs `"loop"`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds both states.
        initial_state: List `[h, c]`, each `(batch, units)`; with `projection`, h is
            `(batch, projection)`.
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
        - Wan et al., [Regularization of neural networks using DropConnect](
          https://proceedings.mlr.press/v28/wan13.html), 2013
        - Merity, Keskar and Socher, [Regularizing and optimizing LSTM language
          models](https://arxiv.org/abs/1708.02182), 2017
        - Gers and Schmidhuber, [Recurrent nets that time and count](
          https://doi.org/10.1109/IJCNN.2000.861302), 2000
        - Sak, Senior and Beaufays, [Long short-term memory based recurrent neural
          network architectures for large vocabulary speech recognition](
          https://arxiv.org/abs/1402.1128), 2014
    """

    engines = ("loop", "cudnn")

    def __init__(
        self,
        units,
        *,
        zoneout_h=0.0,
        zoneout_c=0.0,
        recurrent_dropout=0.0,
        recurrent_dropconnect=0.0,
        layer_norm=False,
        peepholes=False,
        projection=None,
        unit_forget_bias=True,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.zoneout_h = check_rate(self.name, "zoneout_h", zoneout_h)
        self.zoneout_c = check_rate(self.name, "zoneout_c", zoneout_c)
        self.recurrent_dropout = check_rate(
            self.name, "recurrent_dropout", recurrent_dropout
        )
        self.recurrent_dropconnect = check_rate(
            self.name, "recurrent_dropconnect", recurrent_dropconnect
        )
        self.layer_norm = bool(layer_norm)
        self.peepholes = bool(peepholes)
        self.projection = None
        if projection is not None:
            self.projection = check_size(self.name, "projection", projection)
        self.unit_forget_bias = bool(unit_forget_bias)
        self._shared = None
        if keras.backend.backend() == "tensorflow":
            self.supports_jit = self.engine == "loop" or bool(self.why_not("cudnn"))

    @property
    def output_size(self):
        return self.projection or self.units

    @property
    def state_sizes(self):
        return (self.output_size, self.units)

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
            shape=(self.output_size, gates),
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
        if self.peepholes:
            self.peephole_kernel = self._add_gain(
                "peephole_kernel", 3 * self.units, "zeros"
            )
        if self.projection:
            self.projection_kernel = self.add_weight(
                shape=(self.units, self.projection),
                name="projection_kernel",
                initializer=self._initial_projection,
                regularizer=self.kernel_regularizer,
            )
        if self.chosen_engine() == "cudnn":
            self._delegate()
        self.built = True

    def _add_gain(self, name, size, initializer="ones"):
        return self.add_weight(shape=(size,), name=name, initializer=initializer)

    def _initial_projection(self, shape, dtype=None):
        # A copy: an initialiser that is used twice repeats itself, and warns of it.
        config = initializers.serialize(self.kernel_initializer)
        kernel = initializers.get(config)(shape, dtype=self.state_dtype)
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
        size = self.output_size
        dropped = None
        if training and self.dropout:
            kept = self._dropout_mask(self.dropout, batch, features)
            inputs = inputs * ops.cast(kept, inputs.dtype)
        if self._uses_cudnn(mask):
            return self._cudnn(inputs, state)
        if training and self.recurrent_dropout:
            dropped = self._dropout_mask(self.recurrent_dropout, batch, size)
        hold_h = hold_c = None if mask is None else ops.expand_dims(~mask, -1)
        rates = (self.zoneout_h, self.zoneout_c)
        if training:
            hold_h = self._hold(rates[0], (time, batch, size), hold_h)
            hold_c = self._hold(rates[1], (time, batch, self.units), hold_c)
            rates = (0.0, 0.0)
        h, c = lstm(
            *self._operands(inputs, training),
            h0,
            c0,
            hold_h=hold_h,
            hold_c=hold_c,
            rate_h=rates[0],
            rate_c=rates[1],
            recurrent_mask=dropped,
            norm=self._norm(),
            **self._variants(),
            reverse=self.reverse,
        )
        return h, (h[0 if self.reverse else -1], c)

    def _one_step(self, inputs, state, training):
        if training:
            return super()._one_step(inputs, state, training)
        norm = None
        if self.layer_norm:
            norm = (self._weight(self.input_gain), *self._norm())
        state = lstm_step(
            ops.cast(inputs, self.state_dtype),
            *state,
            self._weight(self.kernel),
            self._weight(self.recurrent_kernel),
            None if self.bias is None else self._weight(self.bias),
            rate_h=self.zoneout_h,
            rate_c=self.zoneout_c,
            norm=norm,
            **self._variants(),
        )
        return state[0], state

    def _refuses(self, engine):
        if engine != "cudnn":
            return None
        options = {**keras_lstm.OURS_ALONE, "recurrent_dropout": 0.0, "use_bias": True}
        for name, value in options.items():
            if getattr(self, name) != value:
                return f"cuDNN runs with {name}={value} alone."
        if self.compute_dtype != "float32":
            return f"states would be rounded to {self.compute_dtype} at every step."
        if devices.kind() != "gpu":
            return f"{keras.backend.backend()} sees no GPU."
        return None

    def _uses_cudnn(self, mask):
        if mask is not None and self.engine == "cudnn":
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) cannot use "
                "engine='cudnn' with a mask. engine=\"auto\" takes the loop then."
            )
        return mask is None and self.chosen_engine() == "cudnn"

    def _cudnn(self, inputs, state):
        """What `scan` returns, from Keras' own LSTM on this layer's variables."""
        inputs = ops.transpose(inputs, (1, 0, 2))
        if self.reverse:
            inputs = ops.flip(inputs, 1)
        h, *state = self._delegate()(inputs, initial_state=list(state))
        h = ops.flip(h, 1) if self.reverse else h
        return ops.transpose(h, (1, 0, 2)), tuple(state)

    def _delegate(self):
        if self._shared is None:
            theirs = keras_lstm.sharing(self)
            # In a function, as layers among attributes are taken for parts.
            self._shared = lambda *args, **kwargs: theirs.call(*args, **kwargs)
        return self._shared

    def _operands(self, inputs, training):
        """Inputs, kernel and bias as `lstm` takes them."""
        recurrent = self._weight(self.recurrent_kernel)
        if training and self.recurrent_dropconnect:
            recurrent = recurrent * dropout_mask(
                self.recurrent_dropconnect,
                recurrent.shape,
                self.seed_generator,
                self.state_dtype,
            )
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

    def _norm(self):
        if not self.layer_norm:
            return None
        weights = (self.recurrent_gain, self.cell_gain, self.cell_bias)
        return tuple(map(self._weight, weights))

    def _variants(self):
        see = self._weight(self.peephole_kernel) if self.peepholes else None
        project = self._weight(self.projection_kernel) if self.projection else None
        return {
            "peepholes": see,
            "projection": project,
            "compute_dtype": self._product_dtype,
        }

    @classmethod
    def from_keras(cls, layer, **options):
        """Makes a layer with the options and the weights of a `keras.layers.LSTM`.

        Args:
            layer: The Keras layer, built or not.
            **options: Options of this class, in place of those of the layer. New
                weights of such options (`layer_norm`, `peepholes`) have their initial
                values.

        Raises:
            ValueError: If the layer has an option that this class has not.
        """
        return keras_lstm.from_keras(cls, layer, **options)

    def to_keras(self):
        """Makes a `keras.layers.LSTM` with the options and weights of this layer.

        Raises:
            ValueError: If this layer has an option that Keras' layer has not.
        """
        return keras_lstm.to_keras(self)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "zoneout_h": self.zoneout_h,
            "zoneout_c": self.zoneout_c,
            "recurrent_dropout": self.recurrent_dropout,
            "recurrent_dropconnect": self.recurrent_dropconnect,
            "layer_norm": self.layer_norm,
            "peepholes": self.peepholes,
            "projection": self.projection,
            "unit_forget_bias": self.unit_forget_bias,
        }
