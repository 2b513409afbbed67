"""Windows of series brought to one scale inside of the model, and back."""

import keras
from keras import ops

NORMALIZATIONS = ("instance", "last", "scale", None)


@keras.saving.register_keras_serializable(package="tasks")
class ReversibleNormalization(keras.layers.Layer):
    """Normalises each window by what is known of it, and says how to undo that.

    `"instance"` subtracts the mean and divides by the standard deviation; `"last"`
    subtracts the last value; `"scale"` divides by the mean absolute value; `None`
    leaves all as it is. Missing steps count for nothing. A window that does not vary is
    divided by its absolute level instead, and one of zeros, or without any value, by 1.

    Args:
        kind: One of the above.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        values: `(rows, time)`.
        mask: Boolean `(rows, time)`, false where a value is missing.

    Returns:
        Normalised values, zero where missing, location and scale, `(rows, 1)` both:
        `values = normalised * scale + location`.

    References:
        - Kim et al., [Reversible instance normalization for accurate time-series
          forecasting against distribution shift](
          https://openreview.net/forum?id=cGDAkQo1C0p), 2022
        - Salinas et al., [DeepAR](https://arxiv.org/abs/1704.04110), 2017 (`"scale"`)
        - Lin et al., [SegRNN](https://arxiv.org/abs/2308.11200), 2023 (`"last"`)
    """

    def __init__(self, kind="instance", **kwargs):
        super().__init__(**kwargs)
        if kind not in NORMALIZATIONS:
            raise ValueError(
                f"`normalization` must be one of {NORMALIZATIONS}. Received: {kind!r}"
            )
        self.kind = kind
        self.supports_masking = True  # by name, as all layers here

    def call(self, values, mask):
        values = ops.where(mask, values, 0.0)
        location, scale = self._find(values, ops.cast(mask, values.dtype))
        normalised = ops.where(mask, (values - location) / scale, 0.0)
        return normalised, location, scale

    def _find(self, values, there):
        none = ops.zeros_like(values[:, :1])
        if self.kind is None:
            return none, none + 1
        if self.kind == "last":
            time = ops.arange(1, values.shape[1] + 1, dtype=values.dtype) * there
            last = (time == ops.max(time, 1, keepdims=True)) & (there > 0)
            last = ops.where(last, values, 0.0)
            return ops.sum(last, 1, keepdims=True), none + 1
        # Relative to the largest value, as squares of large numbers overflow.
        largest = ops.max(ops.abs(values), 1, keepdims=True)
        largest = ops.where(largest > 0, largest, 1.0)
        values, count = values / largest, ops.sum(there, 1, keepdims=True)
        count = ops.maximum(count, 1.0)
        size = ops.sum(ops.abs(values), 1, keepdims=True) / count
        size = ops.where(size > 0, size, 1.0)
        if self.kind == "scale":
            return none, size * largest
        mean = ops.sum(values, 1, keepdims=True) / count
        squares = ops.square((values - mean) * there)
        std = ops.sqrt(ops.sum(squares, 1, keepdims=True) / count)
        # Smaller deviations are rounding errors of float32.
        std = ops.where(std > 1e-6, std, size)
        return mean * largest, std * largest

    def compute_output_spec(self, values, mask):
        # Three tensors: what is the same to Keras is the same in the graph.
        shapes = (values.shape, (values.shape[0], 1), (values.shape[0], 1))
        return tuple(keras.KerasTensor(shape, values.dtype) for shape in shapes)

    def compute_mask(self, *_, **__):
        return None

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
