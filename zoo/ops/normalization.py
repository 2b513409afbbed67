"""Layer normalisation without gains, and its adjoint."""

from keras import ops

EPSILON = 1e-5


def normalize(x):
    """Zero mean and unit variance along the last axis, and the inverse deviation.

    Args:
        x: Tensor of known size along its last axis.

    Returns:
        Tensor of the shape of `x`, and one with size 1 along the last axis.
    """
    x = x - _mean(x)
    inverse = 1 / ops.sqrt(_mean(x * x) + EPSILON)
    return x * inverse, inverse


def normalize_adjoint(gradient, normal, inverse):
    """Gradient of the input of `normalize` from that of its first result."""
    along = _mean(gradient * normal)
    return (gradient - _mean(gradient) - normal * along) * inverse


def _mean(x):
    # Not `ops.mean`, which rounds float64 to float32 on torch.
    return ops.sum(x, -1, keepdims=True) / x.shape[-1]
