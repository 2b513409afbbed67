"""Quantiles around a median that alone shapes what they are made from."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tasks")
class LeadingMedian(keras.layers.Layer):
    r"""Foretells the median from a state, and the other quantiles as gaps around it.

    With the state $y$ of the recurrent layers, $\bar{y}$ and $\bar{m}$ the same without
    gradient, levels counted outward from the median:

    $$
    m = y W + b, \qquad q_{\pm k} = \bar{m} \pm \sum_{i \le k}
    \text{softplus}(\bar{y} W_{\pm i} + b_{\pm i})
    $$

    Trained on pinball losses, the median and all below it become what they would be
    with the absolute error alone, and the quantiles cannot cross.

    Args:
        steps: Number of steps to foretell from each state.
        levels: Increasing levels of the quantiles, 0.5 among them.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(rows, ..., features)`.

    Returns:
        `(rows, ..., steps, levels)`.
    """

    def __init__(self, steps, levels, **kwargs):
        super().__init__(**kwargs)
        self.steps, self.levels = steps, [float(level) for level in levels]
        if 0.5 not in self.levels:
            raise ValueError(f"`levels` must have 0.5 among them. Received: {levels}")
        self.middle = self.levels.index(0.5)
        self.median = keras.layers.Dense(steps, name="median")
        others = len(self.levels) - 1
        self.gaps = keras.layers.Dense(steps * others, name="gaps") if others else None

    def build(self, input_shape):
        self.median.build(input_shape)
        if self.gaps is not None:
            self.gaps.build(input_shape)
        self.built = True

    def call(self, inputs):
        median = ops.expand_dims(self.median(inputs), -1)
        if self.gaps is None:
            return median
        gaps = ops.softplus(self.gaps(ops.stop_gradient(inputs)))
        gaps = ops.reshape(gaps, (*ops.shape(median)[:-1], len(self.levels) - 1))
        below, above = gaps[..., : self.middle], gaps[..., self.middle :]
        fixed, parts = ops.stop_gradient(median), [median]
        if self.middle:
            outward = ops.cumsum(ops.flip(below, -1), -1)
            parts.insert(0, fixed - ops.flip(outward, -1))
        if self.middle < len(self.levels) - 1:
            parts.append(fixed + ops.cumsum(above, -1))
        return ops.concatenate(parts, -1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.steps, len(self.levels))

    def get_config(self):
        return {**super().get_config(), "steps": self.steps, "levels": self.levels}
