"""The activation of candidates in minimal recurrent networks."""

import keras
from keras import ops


def positive(x):
    r"""$x + 0.5$ from 0 on, $\sigma(x)$ below: `g` of Feng et al. (2024)."""
    return ops.where(x < 0, ops.sigmoid(x), x + 0.5)


def candidate_activation(layer, activation):
    """Returns a function from the name of one, or says what would be a name."""
    if activation in ("g", positive):
        return positive
    try:
        return keras.activations.get(activation)
    except ValueError as error:
        raise ValueError(
            f"`activation` of layer '{layer}' must be None, 'g', or an activation of "
            f"Keras. Received: {activation!r}"
        ) from error


def activation_name(activation):
    """What `candidate_activation` makes the function of again."""
    if activation is positive:
        return "g"
    if activation is keras.activations.linear:
        return None
    return keras.activations.serialize(activation)
