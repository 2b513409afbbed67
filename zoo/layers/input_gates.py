"""What recurrent layers share whose gates see inputs alone, not the state."""

import math

from keras import initializers, ops, regularizers

from zoo.layers.recurrent import check_rate
from zoo.ops.dropout import dropout_mask


class InputGates:
    """For classes that derive from `Recurrent` too: weights, dropout, engines.

    As no gate depends on the state, all of them come from one product over all steps,
    and what is left is a linear recurrence: see `zoo.ops.linear_scan`.

    Args:
        units: Size of the output.
        dropout: Rate of variational dropout on the inputs: one mask per row, the same
            for all its steps.
        use_bias: Whether to add biases.
        kernel_initializer, bias_initializer: Initialisers.
        kernel_regularizer, bias_regularizer: Regularisers.
        **kwargs: Options of `Recurrent`.
    """

    engines = ("loop", "parallel")

    def __init__(
        self,
        units,
        *,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.dropout = check_rate(self.name, "dropout", dropout)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    def _add_kernel(self, shape, name="kernel"):
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )

    def _add_bias(self, size, name="bias", gate=None, value=None):
        """Biases, or `None` without; those of one gate may start at a value."""
        if not self.use_bias:
            return None

        def initializer(shape, dtype=None):
            bias = self.bias_initializer(shape, dtype=dtype)
            if value is None:
                return bias
            start = gate * self.units
            of_gate = ops.full((self.units,), value, dtype)
            rest = bias[start + self.units :]
            return ops.concatenate([bias[:start], of_gate, rest], 0)

        return self.add_weight(
            shape=(size,),
            name=name,
            initializer=initializer,
            regularizer=self.bias_regularizer,
        )

    def _project(self, inputs, kernel, bias):
        """Product of the last axis with a kernel, and a bias, in the states' dtype.

        Args:
            inputs: `(time, batch, rows)`.
            kernel: Variable whose axes but the last have `rows` entries.
            bias: Variable or `None`.
        """
        columns = kernel.shape[-1]
        time, batch, rows = ops.shape(inputs)
        flat = ops.reshape(ops.cast(inputs, self.compute_dtype), (-1, rows))
        kernel = ops.cast(ops.convert_to_tensor(kernel), self.compute_dtype)
        # One product of matrices: backends round or slow down products of more axes.
        product = ops.cast(
            flat @ ops.reshape(kernel, (rows, columns)), self.state_dtype
        )
        if bias is not None:
            product = product + self._weight(bias)
        return ops.reshape(product, (time, batch, columns))

    def _weight(self, variable):
        return ops.cast(ops.convert_to_tensor(variable), self.state_dtype)

    def _drop(self, inputs, training, window=1):
        """Variational dropout on `(time, batch, window * features)`."""
        if not training or not self.dropout:
            return inputs
        _, batch, columns = ops.shape(inputs)
        shape = (batch, columns // window)
        mask = dropout_mask(
            self.dropout, shape, self.seed_generator, self.compute_dtype
        )
        return inputs * ops.tile(mask, (1, window))

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
        }


def check_number(layer, name, value):
    """Returns a finite number as float, or `None`, or says what would be one."""
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise ValueError(
            f"`{name}` of layer '{layer}' must be a finite number or None. "
            f"Received: {value!r}"
        )
    return float(value)
