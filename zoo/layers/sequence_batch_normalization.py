"""Batch normalisation over the steps of sequences."""

import keras
from keras import initializers, ops, regularizers

from zoo.eager import check_finite, mask_tensor
from zoo.layers.output_shape import OutputShape
from zoo.layers.recurrent import check_rate


@keras.saving.register_keras_serializable(package="zoo")
class SequenceBatchNormalization(OutputShape, keras.layers.Layer):
    r"""Batch normalisation with statistics over rows and time, of valid steps alone.

    $$
    y = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, \qquad
    \mu = \frac{\sum_{b,t} m_{bt} x_{bt}}{\sum_{b,t} m_{bt}}, \qquad
    \sigma^2 = \frac{\sum_{b,t} m_{bt} (x_{bt} - \mu)^2}{\sum_{b,t} m_{bt}}
    $$

    In training, statistics are those of the batch; at inference, and where the layer
    is not `trainable`, their moving averages. It stands between recurrent layers, on
    what goes from layer to layer (Laurent et al., 2016), not inside of the recurrence.
    In training it sees the future: a step's output depends on all steps.

    Statistics are float32 (float64 in a float64 layer), also where the layer computes
    in bfloat16 or float16. A batch without a valid step leaves the averages as they
    are.

    Args:
        momentum: Part of the old moving average that is kept at each update.
        epsilon: Added to the variance.
        center: Whether to add $\beta$.
        scale: Whether to multiply by $\gamma$.
        beta_initializer, gamma_initializer: Initialisers.
        beta_regularizer, gamma_regularizer: Regularisers.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; masked steps are not counted, and come out as
            zeros. `None` if all steps are valid.
        training: Whether to take the statistics of the batch, and to update the
            averages.

    Returns:
        `(batch, time, features)`.

    Raises:
        ValueError: If an option or a shape does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = SequenceBatchNormalization()
    >>> tuple(layer(np.zeros((2, 5, 3), "float32"), training=True).shape)
    (2, 5, 3)

    References:
        - Laurent et al., [Batch normalized recurrent neural networks](
          https://arxiv.org/abs/1510.01378), 2016
        - Cooijmans et al., [Recurrent batch normalization](
          https://arxiv.org/abs/1603.09025), 2017
    """

    def __init__(
        self,
        *,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        **kwargs,
    ):
        # The layer casts for itself: Keras would round inputs to bfloat16.
        super().__init__(autocast=False, **kwargs)
        self.momentum = check_rate(self.name, "momentum", momentum)
        number = isinstance(epsilon, (int, float)) and not isinstance(epsilon, bool)
        if not number or not epsilon > 0:
            raise ValueError(
                f"`epsilon` of layer '{self.name}' must be positive. "
                f"Received: {epsilon!r}"
            )
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.supports_masking = True

    def build(self, input_shape):
        self._check(input_shape)
        shape = (input_shape[-1],)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape,
                name="gamma",
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape,
                name="beta",
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
            )
        self.moving_mean = self._add_average("moving_mean", shape, "zeros")
        self.moving_variance = self._add_average("moving_variance", shape, "ones")
        self.input_features = input_shape[-1]
        self.built = True

    def _add_average(self, name, shape, initializer):
        return self.add_weight(
            shape=shape,
            name=name,
            initializer=initializer,
            dtype=self._wide,
            trainable=False,
            autocast=False,
        )

    @property
    def _wide(self):
        return "float64" if self.compute_dtype == "float64" else "float32"

    def call(self, inputs, mask=None, training=None):
        inputs, mask = ops.convert_to_tensor(inputs), mask_tensor(mask)
        self._check(inputs.shape, mask)
        who = f"Layer '{self.name}' ({type(self).__name__})"
        check_finite(who, "inputs", inputs, mask)
        x, valid = ops.cast(inputs, self._wide), None
        if mask is not None:
            valid = ops.expand_dims(mask, -1)
            # What stands in padding, NaN too, must not reach a sum.
            x = ops.where(valid, x, 0)
        if training and self.trainable:
            mean, variance = self._of_batch(x, valid)
        else:
            mean, variance = (
                ops.convert_to_tensor(v)
                for v in (self.moving_mean, self.moving_variance)
            )
        factor = 1 / ops.sqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * ops.cast(self.gamma, self._wide)
        x = (x - mean) * factor
        if self.beta is not None:
            x = x + ops.cast(self.beta, self._wide)
        if valid is not None:
            x = ops.where(valid, x, 0)
        return ops.cast(x, self.compute_dtype)

    def _of_batch(self, x, valid):
        """Mean and variance of the valid steps; the moving averages follow them."""
        if valid is None:
            batch, time, _ = ops.shape(x)
            count = ops.cast(batch * time, self._wide)
        else:
            count = ops.sum(ops.cast(valid, self._wide))
        divisor = ops.maximum(count, 1)
        mean = ops.sum(x, (0, 1)) / divisor
        off = x - mean
        if valid is not None:
            off = ops.where(valid, off, 0)
        variance = ops.sum(off * off, (0, 1)) / divisor
        for average, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = ops.convert_to_tensor(average)
            new = old * self.momentum + ops.stop_gradient(value) * (1 - self.momentum)
            average.assign(ops.where(count > 0, new, old))
        return mean, variance

    def compute_output_spec(self, inputs, mask=None, training=None):
        self._check(inputs.shape, mask)
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

    def _check(self, shape, mask=None):
        who = f"Layer '{self.name}' ({type(self).__name__})"
        if len(shape) != 3 or shape[2] is None:
            raise ValueError(
                f"{who} takes inputs of shape (batch, time, features) with a known "
                f"number of features. Received shape: {tuple(shape)}"
            )
        expected = getattr(self, "input_features", shape[2])
        if shape[2] != expected:
            raise ValueError(
                f"{who} was built for {expected} features. Received shape: "
                f"{tuple(shape)}"
            )
        known = None if mask is None else tuple(mask.shape)
        if known is not None and (
            len(known) != 2
            or any(
                a is not None and b is not None and a != b
                for a, b in zip(known, shape[:2], strict=True)
            )
        ):
            raise ValueError(
                f"{who} takes a mask of shape (batch, time) = {tuple(shape[:2])}. "
                f"Received shape: {known}"
            )

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
        }
