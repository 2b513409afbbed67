"""What recurrent layers with a kernel, a recurrent kernel and a bias share."""

from keras import initializers, ops, regularizers

import zoo.initializers  # noqa: F401, registers what saved layers may name
from zoo.layers.recurrent import check_rate
from zoo.ops.dropout import dropout_mask
from zoo.ops.zoneout import zoneout_mask


class KernelOptions:
    """Options, weights and random masks; stands before `Recurrent` among the bases.

    Args:
        units: Size of the output.
        dropout: Rate of variational dropout on the inputs.
        use_bias: Whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: Initialisers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularisers.
        **kwargs: See `Recurrent`.
    """

    def __init__(
        self,
        units,
        *,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.dropout = check_rate(self.name, "dropout", dropout)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def _add_kernels(self, features, columns, recurrent_shape, bias_shape, **recurrent):
        """Makes the weights; `recurrent` goes to that of the recurrent kernel."""
        self.input_features = features
        self.kernel = self.add_weight(
            shape=(features, columns),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            shape=recurrent_shape,
            name="recurrent_kernel",
            initializer=self._initial_recurrent_kernel,
            regularizer=self.recurrent_regularizer,
            **recurrent,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=bias_shape,
                name="bias",
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
        self.built = True

    def _initial_recurrent_kernel(self, shape, dtype=None):
        # "orthogonal" decomposes a matrix, which TensorFlow cannot in bfloat16.
        kernel = self.recurrent_initializer(shape, dtype=self.state_dtype)
        return ops.cast(kernel, dtype)

    @property
    def _product_dtype(self):
        """dtype of products where it is not that of the states."""
        half = self.compute_dtype in ("bfloat16", "float16")
        return self.compute_dtype if half else None

    def _weight(self, variable):
        return ops.cast(ops.convert_to_tensor(variable), self.state_dtype)

    def _drop_inputs(self, inputs, training):
        """Inputs, time first, in the dtype of states, with variational dropout."""
        inputs = ops.cast(inputs, self.state_dtype)
        if training and self.dropout:
            _, batch, features = ops.shape(inputs)
            inputs = inputs * self._dropout_mask(self.dropout, batch, features)
        return inputs

    def _dropout_mask(self, rate, batch, size):
        shape = (batch, size)
        return dropout_mask(rate, shape, self.seed_generator, self.state_dtype)

    def _hold(self, rate, shape, masked):
        """Where states are held: at masked steps, and at random with a rate."""
        if not rate:
            return masked
        hold = zoneout_mask(rate, shape, self.seed_generator)
        return hold if masked is None else ops.logical_or(hold, masked)

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }


class ZoneoutOptions(KernelOptions):
    """The same, with zoneout and recurrent dropout, for layers with one state `h`.

    Args:
        units: Size of the output.
        zoneout_h: Probability that a unit of the state keeps its value.
        recurrent_dropout: Rate of variational dropout on the state, where it enters
            the recurrent product.
        **kwargs: See `KernelOptions` and `Recurrent`.
    """

    def __init__(self, units, *, zoneout_h=0.0, recurrent_dropout=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.zoneout_h = check_rate(self.name, "zoneout_h", zoneout_h)
        self.recurrent_dropout = check_rate(
            self.name, "recurrent_dropout", recurrent_dropout
        )

    def _noise(self, inputs, mask, training):
        """What `zoo.ops` takes as `hold`, `rate` and `recurrent_mask`."""
        time, batch, _ = ops.shape(inputs)
        hold, rate = (
            None if mask is None else ops.expand_dims(~mask, -1),
            self.zoneout_h,
        )
        dropped = None
        if training:
            hold, rate = self._hold(rate, (time, batch, self.units), hold), 0.0
            if self.recurrent_dropout:
                dropped = self._dropout_mask(self.recurrent_dropout, batch, self.units)
        return {"hold": hold, "rate": rate, "recurrent_mask": dropped}

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "zoneout_h": self.zoneout_h,
            "recurrent_dropout": self.recurrent_dropout,
        }
