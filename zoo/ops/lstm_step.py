"""One step of the LSTM at inference: what streams run, one row after the other."""

from keras import ops

from zoo.ops.lstm import tanh
from zoo.ops.normalization import normalize
from zoo.ops.zoneout import mix


def lstm_step(
    inputs,
    h,
    c,
    kernel,
    recurrent_kernel,
    bias=None,
    *,
    rate_h=0.0,
    rate_c=0.0,
    norm=None,
    peepholes=None,
    projection=None,
    compute_dtype=None,
):
    """The equations of `zoo.ops.lstm.lstm` for a single step.

    A single row is a matter of reading the weights once, which `lstm` first lays out
    anew for the many steps it expects. Its gradient is the backend's own.

    Args:
        inputs, h, c: `(batch, features)`, `(batch, size)` and `(batch, units)`.
        kernel, recurrent_kernel, bias: As `keras.layers.LSTM` has them.
        rate_h, rate_c: The part of each old state that is mixed in.
        norm: `None`, or gains of input and state, gain and bias of the cell.
        peepholes, projection, compute_dtype: As `lstm` takes them.

    Returns:
        The new `h` and `c`.
    """

    def product(x, weights):
        narrow = compute_dtype or h.dtype
        return ops.cast(ops.cast(x, narrow) @ ops.cast(weights, narrow), h.dtype)

    z, u = product(inputs, kernel), product(h, recurrent_kernel)
    if norm is not None:
        z, u = normalize(z)[0] * norm[0], normalize(u)[0] * norm[1]
    z = z + u if bias is None else z + u + bias
    i, f, g, o = ops.split(z, 4, -1)
    if peepholes is not None:
        see_i, see_f, see_o = ops.split(peepholes, 3, -1)
        i, f = i + see_i * c, f + see_f * c
    new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * tanh(g)
    shown = new_c
    if norm is not None:
        shown = normalize(new_c)[0] * norm[2] + norm[3]
    if peepholes is not None:
        o = o + see_o * new_c
    new_h = ops.sigmoid(o) * tanh(shown)
    if projection is not None:
        new_h = product(new_h, projection)
    return mix(h, new_h, None, rate_h), mix(c, new_c, None, rate_c)
