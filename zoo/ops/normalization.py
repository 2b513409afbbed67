"""Layer normalisation without gains, and its adjoint."""

from keras import ops

EPSILON = 1e-5


def normalize(x, axis=-1):
    """Zero mean and unit variance along an axis, and the inverse deviation.

    Args:
        x: Tensor of known size along `axis`.
        axis: Integer.

    Returns:
        Tensor of the shape of `x`, and one with size 1 along `axis`.
    """
    x = x - _mean(x, axis)
    inverse = 1 / ops.sqrt(_mean(x * x, axis) + EPSILON)
    return x * inverse, inverse


def normalize_adjoint(gradient, normal, inverse, axis=-1):
    """Gradient of the input of `normalize` from that of its first result."""
    along = _mean(gradient * normal, axis)
    return (gradient - _mean(gradient, axis) - normal * along) * inverse


def _mean(x, axis):
    # Not `ops.mean`, which rounds float64 to float32 on torch.
    return ops.sum(x, axis, keepdims=True) / x.shape[axis]
