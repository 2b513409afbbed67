"""Products of loops that run units first, and their gradients in bulk.

States are `(units, batch)`, and what has all steps is `(time, units, batch)`: a product
of a transposed kernel with few columns is what XLA multiplies fastest on a CPU. The
bulk products take plain row-major matrices; transposed ones run at half the speed.
"""

from keras import ops


def columns(x):
    """`(units,)` to `(units, 1)`; `None` stays."""
    return None if x is None else ops.expand_dims(x, -1)


def product(kernel, dtype, compute_dtype=None):
    """Function that multiplies `kernel` from the left, in `compute_dtype`."""
    kernel = _cast(kernel, compute_dtype)
    return lambda x: ops.cast(kernel @ _cast(x, compute_dtype), dtype)


def before(h, h0, reverse):
    """States before each step, from those after it."""
    first = ops.expand_dims(h0, 0)
    if reverse:
        return ops.concatenate([h[1:], first], 0)
    return ops.concatenate([first, h[:-1]], 0)


def kernel_gradient(fed, dz, compute_dtype=None):
    """Gradient of the kernel of `z = kernel^T fed`, summed over all steps.

    Args:
        fed: `(time, rows, batch)`.
        dz: `(time, columns, batch)`.
        compute_dtype: dtype of the product.

    Returns:
        `(rows, columns)`, in the dtype of `dz`.
    """
    rows = fed.shape[1]
    fed = ops.transpose(_cast(fed, compute_dtype), (1, 0, 2))
    gradient = ops.reshape(fed, (rows, -1)) @ _flat(dz, compute_dtype)
    return ops.cast(gradient, dz.dtype)


def input_gradient(kernel, dz, compute_dtype=None):
    """Gradient of `fed` for all steps of `z = kernel^T fed`: `(time, rows, batch)`."""
    time, _, batch = ops.shape(dz)
    gradient = _flat(dz, compute_dtype) @ ops.transpose(_cast(kernel, compute_dtype))
    gradient = ops.reshape(gradient, (time, batch, kernel.shape[0]))
    return ops.cast(ops.transpose(gradient, (0, 2, 1)), dz.dtype)


def bias_gradient(dz):
    """Sum over steps and rows: `(columns, 1)`.

    It sums what the bulk products have written out anyway, along the faster axis.
    """
    return ops.expand_dims(ops.sum(_flat(dz, None), 0), -1)


def _flat(dz, compute_dtype):
    dz = ops.transpose(_cast(dz, compute_dtype), (0, 2, 1))
    return ops.reshape(dz, (-1, dz.shape[-1]))


def _cast(x, dtype):
    return x if dtype is None else ops.cast(x, dtype)
