"""Autoregressive forecasting: learn the next step, then draw whole paths from it."""

import keras
from keras import ops

from zoo.ops.scan import time_scan


@keras.saving.register_keras_serializable(package="tasks")
class NextStep(keras.layers.Layer):
    """A recurrent network that says how each step is distributed, given those before.

    To foretell step $t$, it reads the value of step $t - 1$ with a flag that is 1 where
    it is missing, and what is known of step $t$. In training all steps are read at
    once, the true value before each; at inference the context is read at once, and the
    steps after it are drawn one after the other, in one compiled loop.

    Args:
        encoder: A `zoo.layers.Stack` that returns sequences and states.
        head: A head with `sample`, see `tasks.forecast.heads`.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        values: Normalised values before each step, `(rows, time)`, zero where missing.
        missing: 1 where such a value is missing, `(rows, time)`.
        known: What is known of each step foretold, `(rows, time, features)`, or
            `None`. To draw, `(rows, time + steps - 1, features)`.
        noise: `None` to read alone. To draw, numbers between 0 and 1 that were drawn
            evenly, `(rows, paths, steps, 2)`.
        initial_state: List of the encoder's states before the first value; zeros by
            default.

    Returns:
        Without noise, the head's raw numbers `(rows, time, size)`. With it, normalised
        paths `(rows, paths, steps)`: the first step of them is the one after the last
        value that was read.

    Reference:
        - Salinas et al., [DeepAR: probabilistic forecasting with autoregressive
          recurrent networks](https://arxiv.org/abs/1704.04110), 2017
    """

    def __init__(self, encoder, head, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.head = encoder, head
        self.score = keras.layers.Dense(head.size, name="head")

    def build(self, values_shape, missing_shape, known_shape=None, noise_shape=None):
        rows = values_shape[0]
        features = 2 + (0 if known_shape is None else known_shape[-1])
        self.encoder.build((rows, None, features))
        self.score.build((rows, None, self.encoder.output_size))
        self.built = True

    def call(
        self,
        values,
        missing,
        known=None,
        noise=None,
        initial_state=None,
        training=False,
    ):
        time = values.shape[1]
        x = next_step_inputs(values, missing, known)
        y, *states = self.encoder(x, initial_state=initial_state, training=training)
        if noise is None:
            return self.score(y)
        after = None if known is None else known[:, time:]
        return self._draw(y[:, -1], states, after, noise)

    def _draw(self, y, states, known, noise):
        rows, paths = ops.shape(noise)[0], noise.shape[1]

        def each_path(x):
            return ops.repeat(x, paths, 0)

        def first(x):
            """`(rows * paths, steps, ...)` to `(steps, rows * paths, ...)`."""
            return ops.transpose(x, (1, 0, *range(2, len(x.shape))))

        count = rows * paths
        noise = first(ops.reshape(noise, (count, noise.shape[2], 2)))
        known = None if known is None else first(each_path(known))

        def step(state, stream):
            (y, *states), (noise, known) = state, stream
            value = self.head.sample(self.score(y), noise)
            x = ops.stack([value, ops.zeros_like(value)], -1)
            if known is not None:
                x = ops.concatenate([x, known], -1)
            y, states = self.encoder.step(x, states)
            return (y, *states), (value,)

        if known is not None:
            # The loop also reads what it has drawn last, though nothing follows.
            known = ops.pad(known, [[0, 1], [0, 0], [0, 0]])
        state = (each_path(y), *map(each_path, states))
        _, (drawn,) = time_scan(step, state, (noise, known), (((count,), "float32"),))
        return ops.reshape(ops.transpose(drawn), (rows, paths, noise.shape[0]))

    def compute_output_spec(
        self,
        values,
        missing,
        known=None,
        noise=None,
        initial_state=None,
        training=False,
    ):
        rows, time = values.shape
        shape = (rows, time, self.head.size) if noise is None else noise.shape[:3]
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        raise NotImplementedError("This layer is made by `tasks.forecast.model`.")


def next_step_inputs(values, missing, known=None):
    """What the encoder reads of each value: `(rows, time, n)`; see `NextStep`."""
    x = ops.stack([values, missing], -1)
    if known is None:
        return x
    return ops.concatenate([x, known[:, : values.shape[1]]], -1)
