"""Attention: scores of places, their softmax under a mask, and weighted sums."""

from keras import ops

from zoo.ops.lstm import tanh

# Below every score that is not itself infinite; its negative is above.
_LOW = -3.4e38


def masked_softmax(scores, mask=None):
    """Softmax over the last axis, of the places that a mask leaves.

    Args:
        scores: Tensor of floats.
        mask: Boolean tensor that broadcasts against `scores`, true for valid places;
            `None` if all are valid.

    Returns:
        Tensor of the shape of `scores`: sums are 1, masked places 0. Where no place is
        valid, all are 0, and so is the gradient. Scores that are infinite, as products
        in float16 may be, share the weight.
    """
    scores = ops.clip(scores, _LOW, -_LOW)
    if mask is None:
        scores = scores - ops.stop_gradient(ops.max(scores, -1, keepdims=True))
        exponentials = ops.exp(scores)
        return exponentials / ops.sum(exponentials, -1, keepdims=True)
    scores = ops.where(mask, scores, ops.full_like(scores, _LOW))
    scores = scores - ops.stop_gradient(ops.max(scores, -1, keepdims=True))
    exponentials = ops.exp(scores)
    exponentials = ops.where(mask, exponentials, ops.zeros_like(exponentials))
    total = ops.sum(exponentials, -1, keepdims=True)
    return exponentials / ops.where(total > 0, total, ops.ones_like(total))


def additive_scores(features, vector):
    """Bahdanau's scores: `tanh(features) @ vector`.

    Args:
        features: `(..., units)`, the sum of projected query, keys and more.
        vector: `(units,)`.

    Returns:
        Tensor `(...)`.
    """
    return ops.squeeze(tanh(features) @ ops.expand_dims(vector, -1), -1)


def location_features(alignments, kernel):
    """What a convolution over earlier alignments sees at each place.

    Args:
        alignments: List of tensors `(batch, source)`, one for each channel.
        kernel: `(width, channels, filters)`; centred, with zeros outside.

    Returns:
        Tensor `(batch, source, filters)`.
    """
    channels = ops.stack(alignments, -1)
    return ops.conv(channels, kernel, strides=1, padding="same")


class Products:
    """Products with matrices that are called by name.

    Layers that multiply through this can run in a loop that takes the gradients of
    all its steps' matrices at once: see `zoo.ops.bulk_scan`.

    Args:
        matrices: Dictionary of tensors: `(in, out)`, or one for each row
            `(batch, in, out)`.
        compute_dtype: dtype of the products; `None` for that of the factors.
    """

    def __init__(self, matrices, compute_dtype=None):
        self.matrices = matrices
        self.compute_dtype = compute_dtype

    def __call__(self, name, x, transpose=False):
        """`x @ matrix`, or with `transpose`, `x` times the transposed matrix."""
        return product(x, self.matrices[name], transpose, self.compute_dtype)


def product(x, matrix, transpose=False, compute_dtype=None):
    """`x @ matrix` in another dtype, the matrix the same for all rows or not.

    Args:
        x: `(..., in)`. For a matrix of each row `(batch, in)` or
            `(batch, queries, in)`.
        matrix: `(in, out)` or `(batch, in, out)`; with `transpose`, `out` first.
        transpose: Whether to multiply with the transposed matrix.
        compute_dtype: dtype of the product; the result has that of `x`.

    Returns:
        Tensor `(..., out)`.
    """
    dtype = x.dtype
    if compute_dtype is not None:
        x, matrix = ops.cast(x, compute_dtype), ops.cast(matrix, compute_dtype)
    if transpose:
        axes = list(range(len(matrix.shape)))
        matrix = ops.transpose(matrix, (*axes[:-2], axes[-1], axes[-2]))
    if len(matrix.shape) == 3 and len(x.shape) == 2:
        result = ops.squeeze(ops.expand_dims(x, 1) @ matrix, 1)
    else:
        result = x @ matrix
    return ops.cast(result, dtype)
