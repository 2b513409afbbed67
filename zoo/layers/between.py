"""What stands between the layers of a stack."""

import keras
from keras import ops

from zoo.layers.sequence_batch_normalization import SequenceBatchNormalization

CONNECTIONS = (None, "residual", "highway", "dense")
NORMALIZATIONS = {
    None: None,
    "layer": keras.layers.LayerNormalization,
    "sequence_batch": SequenceBatchNormalization,
}


class _Connection(keras.layers.Layer):
    """Makes the next layer's inputs from the inputs and outputs of a layer.

    A part of `Stack`, which says what the connections are; it makes this layer from
    its own options.

    Args:
        kind: `None`, `"residual"`, `"highway"` or `"dense"`.
        keep_inputs: Whether a dense connection passes inputs on: not the last one.
        normalization: What the outputs go through first: a key of `NORMALIZATIONS`.
        **kwargs: `name`, `dtype` and `trainable`.
    """

    def __init__(self, kind, keep_inputs, normalization, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.kind = kind if keep_inputs or kind != "dense" else None
        self.normalization = None
        if normalization is not None:
            self.normalization = NORMALIZATIONS[normalization](
                dtype=self.dtype_policy, name="normalization"
            )
        self.supports_masking = True

    def build_for(self, inputs, outputs):
        """Makes weights for the numbers of features; returns that of the result."""
        if inputs != outputs and self.kind in ("residual", "highway"):
            self.kind = None
        size = outputs + (inputs if self.kind == "dense" else 0)
        if self.built:
            return size
        if self.kind == "highway":
            self.kernel = self.add_weight(
                shape=(outputs, outputs),
                name="transform_kernel",
                initializer="glorot_uniform",
            )
            self.bias = self.add_weight(
                shape=(outputs,),
                name="transform_bias",
                initializer=keras.initializers.Constant(-1.0),
            )
        if self.normalization is not None and not self.normalization.built:
            self.normalization.build((None, None, outputs))
        self.built = True
        return size

    @property
    def plain(self):
        """Whether the next layer gets the outputs as they are."""
        return self.kind is None and self.normalization is None

    def call(self, inputs, outputs, mask=None, training=None):
        if self.normalization is not None:
            outputs = self._normalized(outputs, mask, training)
        if self.kind is None:
            return outputs
        inputs = ops.cast(inputs, outputs.dtype)
        if mask is not None:
            mask = ops.expand_dims(ops.cast(mask, "bool"), -1)
            # What stands in padding, NaN too, must not reach a product.
            inputs = ops.where(mask, inputs, 0)
        if self.kind == "dense":
            return ops.concatenate([inputs, outputs], -1)
        joined = inputs + outputs
        if self.kind == "highway":
            kernel, bias = (ops.cast(w, inputs.dtype) for w in (self.kernel, self.bias))
            transform = ops.sigmoid(inputs @ kernel + bias)
            joined = inputs + transform * (outputs - inputs)
        return joined if mask is None else ops.where(mask, joined, outputs)

    def _normalized(self, outputs, mask, training):
        if isinstance(self.normalization, keras.layers.LayerNormalization):
            return self.normalization(outputs)
        if len(outputs.shape) == 3:
            return self.normalization(outputs, mask=mask, training=training)
        # A single step.
        steps = ops.expand_dims(outputs, 1)
        return ops.squeeze(self.normalization(steps, training=training), 1)

    def compute_output_spec(self, inputs, outputs, mask=None, training=None):
        size = outputs.shape[-1]
        if self.kind == "dense":
            size += inputs.shape[-1]
        return keras.KerasTensor((*outputs.shape[:-1], size), outputs.dtype)

    def compute_mask(self, inputs, mask=None):
        return None  # the stack gives masks by name
