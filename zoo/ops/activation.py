"""Activations of recurrences, with gradients from what they gave."""

from keras import ops

from zoo.ops.lstm import tanh


def bounded(x, bound):
    """`x` between `-bound` and `bound`; as it is if that is `None`."""
    # Not `ops.clip`, which rounds the bounds of float64 to float32 on torch.
    if bound is None:
        return x
    bound = ops.convert_to_tensor(bound, x.dtype)
    return ops.where(x > bound, bound, ops.where(x < -bound, -bound, x))


def at_least(x, least):
    """`x` where it is not below `least`, else that. NaN stays NaN."""
    # Not `ops.maximum`, which rounds float64 to float32 on torch.
    return ops.where(x < least, least, x)


def _relu(x):
    # The slope at 0 is 0.
    return ops.where(x <= 0, 0.0, x)


def _tanh_slope(gradient, y):
    return gradient * (1 - y * y)


def _relu_slope(gradient, y):
    return ops.where(y > 0, gradient, 0.0)


def _linear(x):
    return x


def _linear_slope(gradient, y):
    return gradient


# From names to functions: of the input; and from the gradient of the result, and the
# result itself, to the gradient of the input.
ACTIVATIONS = {
    "tanh": (tanh, _tanh_slope),
    "relu": (_relu, _relu_slope),
    "linear": (_linear, _linear_slope),
}


def check_activation(layer, name):
    """Returns the name of an activation, or says which there are."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(
            f"`activation` of layer '{layer}' must be one of {list(ACTIVATIONS)}. "
            f"Received: {name!r}"
        )
    return name
