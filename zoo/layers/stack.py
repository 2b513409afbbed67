"""Recurrent layers on top of each other."""

import keras
from keras import ops

from zoo.eager import mask_tensor
from zoo.layers.between import CONNECTIONS, NORMALIZATIONS, _Connection
from zoo.layers.output_shape import OutputShape
from zoo.layers.recurrent import check_rate, check_size
from zoo.ops.dropout import dropout_mask
from zoo.streams import compiled_step


@keras.saving.register_keras_serializable(package="zoo")
class Stack(OutputShape, keras.layers.Layer):
    r"""Feeds a sequence through recurrent layers, one after the other.

    With $f_l$ the layers, $x_1$ the inputs and $y_l = f_l(x_l)$:

    $$
    \begin{aligned}
    \text{no connection:} \quad & x_{l+1} = y_l \\
    \text{residual:} \quad & x_{l+1} = x_l + y_l \\
    \text{highway:} \quad & x_{l+1} = t \odot y_l + (1 - t) \odot x_l, \quad
    t = \sigma(x_l W_l + b_l) \\
    \text{dense:} \quad & x_{l+1} = [x_l ; y_l]
    \end{aligned}
    $$

    The stack returns what would be the next layer's inputs, but with dense
    connections, where it returns the last $y_l$. Residual and highway connections stand
    where $x_l$ and $y_l$ are of one size, and both are sequences. At masked steps they
    pass $y_l$ alone, the state that the layer holds.

    Each layer gets the mask by name, and its own part of the states.

    Args:
        layers: List of recurrent layers, `Bidirectional` or `Stack` layers of this
            package. All but the last must have `return_sequences=True`; whether
            states come back is this layer's to say, theirs must say the same.
        return_state: Whether to return the final states of all layers.
        connection: `None`, `"residual"`, `"highway"` or `"dense"`. The $b_l$ of
            highways begin at -1, near passing $x_l$.
        dropout: Rate of variational dropout between layers: on the inputs of all but
            the first, with one mask per row and layer for all steps.
        normalization: What normalises the outputs $y_l$ of all but the last layer:
            `None`, `"layer"`, or `"sequence_batch"`, with statistics over rows and
            valid steps (`SequenceBatchNormalization`), as the deep stacks of IndRNN.
        seed: Integer, makes dropout between layers reproducible.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, given to each layer.
        initial_state: List of the states of all layers, from the first to the last.
        training: Given to each layer.

    Returns:
        The output of the last layer; with `return_state`, a tuple of it and the
        states of all layers.

    Raises:
        ValueError: If layers, options or shapes do not fit.

    Example:

    >>> import numpy as np
    >>> from zoo.layers import ZoneoutLSTM
    >>> layers = [ZoneoutLSTM(4, return_sequences=True), ZoneoutLSTM(3)]
    >>> tuple(Stack(layers)(np.zeros((2, 5, 3), "float32")).shape)
    (2, 3)
    >>> deep = Stack.of("zoneout_lstm", 8, num_layers=4, connection="residual")
    >>> tuple(deep(np.zeros((2, 5, 3), "float32")).shape)
    (2, 8)

    References:
        - Srivastava, Greff and Schmidhuber, [Highway networks](
          https://arxiv.org/abs/1505.00387), 2015
        - Zhang et al., [Highway long short-term memory RNNs for distant speech
          recognition](https://arxiv.org/abs/1510.08983), 2016
        - Wu et al., [Google's neural machine translation system](
          https://arxiv.org/abs/1609.08144), 2016
        - Huang et al., [Densely connected convolutional networks](
          https://arxiv.org/abs/1608.06993), 2017
        - Gal and Ghahramani, [A theoretically grounded application of dropout in
          recurrent neural networks](https://arxiv.org/abs/1512.05287), 2016
    """

    def __init__(
        self,
        layers,
        return_state=False,
        *,
        connection=None,
        dropout=0.0,
        normalization=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.layers = list(layers)
        self.return_state = bool(return_state)
        self._check_layers()
        for name, value, known in (
            ("connection", connection, CONNECTIONS),
            ("normalization", normalization, tuple(NORMALIZATIONS)),
        ):
            if value not in known:
                raise ValueError(
                    f"`{name}` of layer '{self.name}' must be one of {known}. "
                    f"Received: {value!r}"
                )
        self.connection, self.normalization = connection, normalization
        self.dropout = check_rate(self.name, "dropout", dropout)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if dropout else None
        last = len(self.layers) - 1
        self.connections = [
            _Connection(
                connection if layer.return_sequences else None,
                keep_inputs=i < last,
                normalization=normalization if i < last else None,
                dtype=self.dtype_policy,
                name=f"connection_{i}",
            )
            for i, layer in enumerate(self.layers)
        ]
        self.supports_masking = True

    @classmethod
    def of(
        cls,
        layer,
        units,
        num_layers,
        *,
        bidirectional=False,
        return_sequences=False,
        return_state=False,
        layer_options=None,
        **options,
    ):
        """Makes a stack of layers of one kind.

        Args:
            layer: Name of the layer, as `zoo.layers.get` takes it.
            units: Size of each layer; of each direction, if there are two.
            num_layers: Number of layers.
            bidirectional: Whether each runs in both directions.
            return_sequences, return_state: What the stack returns.
            layer_options: Dictionary of further options of each layer.
            **options: Options of the stack. `seed` and `dtype` hold for the layers
                too, each of which gets a seed of its own.

        Raises:
            ValueError: If there is no such layer, it has not the options, or there is
                not one layer at least.
        """
        # Here, as that module imports this one.
        from zoo.layers import Bidirectional, get

        layers = []
        name = options.get("name", "stack")
        for i in range(check_size(name, "num_layers", num_layers)):
            own = {"return_state": return_state, **(layer_options or {})}
            own["return_sequences"] = return_sequences or i < num_layers - 1
            # Names that do not count on: a model made twice has the same paths.
            own.setdefault("name", f"layer_{i}")
            if options.get("dtype") is not None:
                own.setdefault("dtype", options["dtype"])
            if options.get("seed") is not None:
                # A backward layer takes the next number.
                own["seed"] = options["seed"] + 2 * i + 1
            made = get(layer, units, **own)
            if bidirectional:
                made = Bidirectional(
                    made, name=f"bidirectional_{i}", dtype=made.dtype_policy
                )
            layers.append(made)
        return cls(layers, return_state=return_state, **options)

    def _check_layers(self):
        if not self.layers:
            raise ValueError("`layers` must name at least one recurrent layer.")
        for layer in self.layers:
            if not hasattr(layer, "state_sizes"):
                raise ValueError(
                    "`layers` must be recurrent layers of zoo.layers. "
                    f"Received: {layer!r}"
                )
            if layer.return_state != self.return_state:
                raise ValueError(
                    f"Layer '{layer.name}' must have return_state="
                    f"{self.return_state}, as the stack '{self.name}' has."
                )
            if getattr(layer, "merge_mode", "") is None:
                raise ValueError(
                    f"Layer '{layer.name}' must merge its two outputs for the stack "
                    f"'{self.name}'. Received: merge_mode=None"
                )
        for layer in self.layers[:-1]:
            if not layer.return_sequences:
                raise ValueError(
                    f"Layer '{layer.name}' must have return_sequences=True: another "
                    f"layer of the stack '{self.name}' follows it."
                )

    @property
    def output_size(self):
        """Number of features of the last layer's output."""
        return self.layers[-1].output_size

    @property
    def units(self):
        """Size of the last layer's output."""
        return self.output_size

    @property
    def return_sequences(self):
        """Whether outputs have a time axis."""
        return self.layers[-1].return_sequences

    @property
    def state_sizes(self):
        """Tuple of the sizes of the states of all layers."""
        return tuple(n for layer in self.layers for n in layer.state_sizes)

    def get_initial_state(self, batch_size):
        """The initial states of all layers, as `step` takes them."""
        states = (layer.get_initial_state(batch_size) for layer in self.layers)
        return [s for state in states for s in state]

    def build(self, input_shape):
        size = input_shape[-1]
        for layer, connection in zip(self.layers, self.connections, strict=True):
            # A layer that comes from a file is already built.
            if not layer.built:
                layer.build((*input_shape[:-1], size))
            size = connection.build_for(size, layer.output_size)
        self.built = True

    def call(self, inputs, mask=None, initial_state=None, training=None):
        x, mask, states = ops.convert_to_tensor(inputs), mask_tensor(mask), []
        parts = self._parts(initial_state)
        for i, (layer, state) in enumerate(zip(self.layers, parts, strict=True)):
            if i and self.dropout and training:
                x = self._drop(x)
            y = layer(x, mask=mask, initial_state=state, training=training)
            if self.return_state:
                y, *new = y
                states += new
            x = self._connect(i, x, y, mask, training)
        return (x, *states) if self.return_state else x

    def step(self, inputs, state=None, training=False):
        """Runs one time step through all layers; see `Recurrent.step`."""
        for layer in self.layers:
            if not hasattr(layer, "step"):
                raise ValueError(
                    f"Layer '{layer.name}' of the stack '{self.name}' does not run "
                    "step by step."
                )
        x, states = ops.convert_to_tensor(inputs), []
        if not self.built and len(x.shape) == 2:
            self.build((x.shape[0], None, x.shape[1]))
        parts = self._parts(state)
        for i, (layer, part) in enumerate(zip(self.layers, parts, strict=True)):
            if i and self.dropout and training:
                x = self._drop(x)
            y, new = layer.step(x, part, training)
            states += new
            x = self._connect(i, x, y, None, training)
        return x, states

    def compiled_step(self):
        """`step` at inference as a compiled function; see `zoo.streams`."""
        return compiled_step(self)

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        x, states = inputs, []
        parts = self._parts(initial_state)
        for i, (layer, state) in enumerate(zip(self.layers, parts, strict=True)):
            y = layer.compute_output_spec(x, mask, state)
            if self.return_state:
                y, *new = y
                states += new
            x = self.connections[i].compute_output_spec(x, y)
        return (x, *states) if self.return_state else x

    def _parts(self, state):
        """Each layer's own part of the states of all."""
        sizes = [len(layer.state_sizes) for layer in self.layers]
        if state is None:
            return [None] * len(sizes)
        if len(state) != sum(sizes):
            raise ValueError(
                f"Layer '{self.name}' takes {sum(sizes)} initial states. "
                f"Received: {len(state)}"
            )
        state = iter(state)
        return [[next(state) for _ in range(n)] for n in sizes]

    def _connect(self, i, x, y, mask, training):
        if self.connections[i].plain:
            return y
        return self.connections[i](x, y, mask=mask, training=training)

    def _drop(self, x):
        shape = ops.shape(x)
        mask = dropout_mask(
            self.dropout, (shape[0], shape[-1]), self.seed_generator, x.dtype
        )
        return x * (ops.expand_dims(mask, 1) if len(shape) == 3 else mask)

    def compute_mask(self, inputs, mask=None):
        mask = mask if self.return_sequences else None
        return (mask, *(None for _ in self.state_sizes)) if self.return_state else mask

    def get_config(self):
        config = super().get_config()
        layers = [keras.saving.serialize_keras_object(x) for x in self.layers]
        return {
            **config,
            "layers": layers,
            "return_state": self.return_state,
            "connection": self.connection,
            "dropout": self.dropout,
            "normalization": self.normalization,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        layers = [
            keras.saving.deserialize_keras_object(x) for x in config.pop("layers")
        ]
        return cls(layers, **config)
