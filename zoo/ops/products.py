"""Products of recurrences: of one step, of all steps at once, and their gradients.

What has all steps is `(time, batch, features)`. Kernels are multiplied from the right,
with rows of the batch in front: on two cores that was faster for the LSTM than a
transposed kernel from the left, see `benchmarks/NOTES.md`. Bulk products take plain
row-major matrices; transposed ones run at half the speed.
"""

from keras import ops


def product(kernel, dtype, compute_dtype=None):
    """Function that multiplies `kernel` from the right, in `compute_dtype`."""
    kernel = cast(kernel, compute_dtype)
    return lambda x: ops.cast(cast(x, compute_dtype) @ kernel, dtype)


def in_bulk(inputs, kernel, dtype, compute_dtype=None):
    """Product of the inputs of all steps: `(time, batch, columns)`."""
    time, batch, _ = ops.shape(inputs)
    found = _flat(cast(inputs, compute_dtype)) @ cast(kernel, compute_dtype)
    return ops.reshape(ops.cast(found, dtype), (time, batch, kernel.shape[1]))


def before(h, h0, reverse):
    """States before each step, from those after it."""
    first = ops.expand_dims(h0, 0)
    if reverse:
        return ops.concatenate([h[1:], first], 0)
    return ops.concatenate([first, h[:-1]], 0)


def kernel_gradient(fed, dz, compute_dtype=None):
    """Gradient of the kernel of `z = fed @ kernel`, summed over all steps.

    Args:
        fed: `(time, batch, rows)`.
        dz: `(time, batch, columns)`.
        compute_dtype: dtype of the product.

    Returns:
        `(rows, columns)`, in the dtype of `dz`.
    """
    rows = ops.transpose(cast(fed, compute_dtype), (2, 0, 1))
    rows = ops.reshape(rows, (fed.shape[2], -1))
    return ops.cast(rows @ _flat(cast(dz, compute_dtype)), dz.dtype)


def input_gradient(kernel, dz, compute_dtype=None):
    """Gradient of `fed` for all steps of `z = fed @ kernel`: `(time, batch, rows)`."""
    return in_bulk(dz, ops.transpose(kernel), dz.dtype, compute_dtype)


def bias_gradient(dz):
    """Sum over steps and rows: `(columns,)`."""
    return ops.sum(dz, (0, 1))


def cast(x, dtype):
    """`x` in a dtype; as it is if that is `None`."""
    return x if dtype is None else ops.cast(x, dtype)


def _flat(x):
    return ops.reshape(x, (-1, x.shape[-1]))
