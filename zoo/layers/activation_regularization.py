"""Penalties on the outputs of recurrent layers."""

import keras

from zoo import regularizers
from zoo.eager import mask_tensor


@keras.saving.register_keras_serializable(package="zoo")
class ActivationRegularization(keras.layers.Layer):
    r"""Returns what it gets, and adds penalties on it to the losses.

    $$
    \alpha \, \overline{h_t^2} + \beta \, \overline{(h_{t+1} - h_t)^2}
    + \gamma \, \overline{(\lVert h_{t+1} \rVert - \lVert h_t \rVert)^2}
    $$

    with means over rows, units and valid steps, or pairs of valid steps. The penalties
    are the functions of `zoo.regularizers`, in float32 also where the layer computes in
    bfloat16.

    Args:
        ar: $\alpha$, the weight of large activations. The paper takes 2 for language
            models, on outputs after dropout.
        tar: $\beta$, the weight of changes from step to step. The paper takes 1, on
            outputs before dropout: where that matters, use two of these layers.
        norm_stabilizer: $\gamma$, the weight of changes of the norm. The paper takes
            50 to 500.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, units)`.
        mask: Boolean `(batch, time)`; what stands in masked steps costs nothing.

    Returns:
        The inputs.

    Raises:
        ValueError: If a weight is negative, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> layer = ActivationRegularization(ar=2.0)
    >>> _ = layer(np.ones((2, 5, 3), "float32"))
    >>> [float(loss) for loss in layer.losses]
    [2.0]

    References:
        - Merity, McCann and Socher, [Revisiting activation regularization for
          language RNNs](https://arxiv.org/abs/1708.01009), 2017
        - Krueger and Memisevic, [Regularizing RNNs by stabilizing activations](
          https://arxiv.org/abs/1511.08400), 2016
    """

    def __init__(self, *, ar=0.0, tar=0.0, norm_stabilizer=0.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.ar = regularizers.check_factor("ar", ar)
        self.tar = regularizers.check_factor("tar", tar)
        self.norm_stabilizer = regularizers.check_factor(
            "norm_stabilizer", norm_stabilizer
        )
        self.supports_masking = True
        self.built = True

    def call(self, inputs, mask=None):
        mask = mask_tensor(mask)
        self._check(inputs, mask)
        for weight, penalty in (
            (self.ar, regularizers.activation),
            (self.tar, regularizers.temporal_activation),
            (self.norm_stabilizer, regularizers.norm_stabilizer),
        ):
            if weight:
                self.add_loss(weight * penalty(inputs, mask))
        return inputs

    def _check(self, inputs, mask):
        shape = tuple(inputs.shape)
        if len(shape) != 3:
            raise ValueError(
                f"Layer '{self.name}' takes inputs of shape (batch, time, units). "
                f"Received shape: {shape}"
            )
        if mask is not None and any(
            a is not None and b is not None and a != b
            for a, b in zip((len(mask.shape), *mask.shape), (2, *shape), strict=False)
        ):
            raise ValueError(
                f"Layer '{self.name}' takes a mask of shape (batch, time) = "
                f"{shape[:2]}. Received shape: {tuple(mask.shape)}"
            )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "ar": self.ar,
            "tar": self.tar,
            "norm_stabilizer": self.norm_stabilizer,
        }
