"""The LSTM with zoneout, masks and layer normalisation, with its adjoint by hand.

Automatic differentiation of a loop saves every intermediate of every step and
multiplies weight gradients step by step. The adjoint here keeps only the gates, and
computes the gradients of all weights in one matrix product after the loop.
"""

import keras
import numpy as np
from keras import ops

from zoo.ops.scan import custom_gradient, time_scan

EPSILON = 1e-5


def lstm(
    z,
    recurrent_kernel,
    h0,
    c0,
    *,
    hold_h=None,
    hold_c=None,
    rate_h=0.0,
    rate_c=0.0,
    recurrent_mask=None,
    norm=None,
    reverse=False,
    compute_dtype=None,
):
    r"""Runs an LSTM over projected inputs, time first.

    For each step, with $\tilde h = r \odot h_{t-1}$ (recurrent dropout):

        i, f, g, o = sigma, sigma, tanh, sigma (z_t + h~ U)
        c~ = f * c[t-1] + i * g
        h~ = o * tanh(c~)
        c[t], h[t] = the mixture of c[t-1] with c~, and of h[t-1] with h~

    The mixture is zoneout (Krueger et al., 2017): a held unit keeps its old value,
    and the others take `rate` parts of the old and `1 - rate` parts of the new. In
    training, `hold` is random and the rate 0; at inference, the rate is zoneout's
    expectation and `hold` marks only the masked steps.

    Args:
        z: Projected inputs with bias, `(time, batch, 4 * units)`; gates in Keras'
            order: input, forget, candidate, output.
        recurrent_kernel: `(units, 4 * units)`.
        h0, c0: Initial states, `(batch, units)`.
        hold_h, hold_c: Boolean `(time, batch, units)` or `(time, batch, 1)`, true
            where a state keeps its old value. `None` holds nothing.
        rate_h, rate_c: Numbers in [0, 1], the part of the old value that is mixed in
            where it is not held.
        recurrent_mask: `(batch, units)`, multiplied with the state on its way into
            the recurrent product.
        norm: `None`, or `(recurrent_gain, cell_gain, cell_bias)` for the layer
            normalisation of Ba et al. (2016); shapes `(4 * units,)`, `(units,)`,
            `(units,)`. That of the input product is the caller's.
        reverse: Whether to run backwards in time.
        compute_dtype: dtype of the recurrent products; states and sums keep the
            dtype of `h0`.

    Returns:
        States `h` for all steps `(time, batch, units)` and the final `c`
        `(batch, units)`. The final `h` is the last (with `reverse`, the first) step.
    """
    options = dict(
        holds=(hold_h, hold_c),
        rates=(float(rate_h), float(rate_c)),
        reverse=reverse,
        compute_dtype=compute_dtype,
    )
    if recurrent_mask is None and norm is None:
        return custom_gradient(
            lambda z, u, h, c: _lstm(z, u, h, c, None, None, **options)
        )(z, recurrent_kernel, h0, c0)
    if norm is None:
        return custom_gradient(
            lambda z, u, h, c, r: _lstm(z, u, h, c, r, None, **options)
        )(z, recurrent_kernel, h0, c0, recurrent_mask)
    if recurrent_mask is None:
        recurrent_mask = ops.ones_like(h0)
    return custom_gradient(
        lambda z, u, h, c, r, *n: _lstm(z, u, h, c, r, n, **options)
    )(z, recurrent_kernel, h0, c0, recurrent_mask, *norm)


def _lstm(z, kernel, h0, c0, dropped, norm, **options):
    """Forward pass and adjoint, in the form `custom_gradient` wants."""
    steps, saved = _forward(z, kernel, h0, c0, dropped, norm, **options)

    def gradient(upstream):
        return _adjoint(upstream, saved, kernel, h0, c0, dropped, norm, **options)

    return steps, gradient


def _forward(z, kernel, h0, c0, dropped, norm, holds, rates, reverse, compute_dtype):
    batch, units = ops.shape(h0)
    dtype = h0.dtype
    scale, offset = _one_tanh(units, dtype)
    product = _product(kernel, dtype, compute_dtype)

    def step(state, inputs):
        h, c = state
        z, hold_h, hold_c = inputs
        extra = ()
        u = product(h if dropped is None else h * dropped)
        if norm is not None:
            u, inverse_u = normalize(u)
            extra = (u, inverse_u)
            u = u * norm[0]
        gates = ops.tanh((z + u) * scale) * scale + offset
        i, f, g, o = ops.split(gates, 4, -1)
        new_c = f * c + i * g
        if norm is None:
            tanh_c = ops.tanh(new_c)
        else:
            normal_c, inverse_c = normalize(new_c)
            extra += (normal_c, inverse_c)
            tanh_c = ops.tanh(normal_c * norm[1] + norm[2])
        new_h = _mix(h, o * tanh_c, hold_h, rates[0])
        new_c = _mix(c, new_c, hold_c, rates[1])
        return (new_h, new_c), (new_h, c, gates, tanh_c, *extra)

    one, four = ((batch, units), dtype), ((batch, 4 * units), dtype)
    column = ((batch, 1), dtype)
    extra = () if norm is None else (four, column, one, column)
    (_, c), (h, *saved) = time_scan(
        step, (h0, c0), (z, *holds), (one, one, four, one, *extra), reverse
    )
    return (h, c), (h, *saved)


def _adjoint(
    upstream,
    saved,
    kernel,
    h0,
    c0,
    dropped,
    norm,
    holds,
    rates,
    reverse,
    compute_dtype,
):
    h, c_before, gates, tanh_c, *normal = saved
    dh_steps, dc_last = upstream
    batch, units = ops.shape(h0)
    dtype = h0.dtype
    product = _product(ops.transpose(kernel), dtype, compute_dtype)

    def step(state, inputs):
        dh, dc = state
        dy, c, gates, tanh_c, hold_h, hold_c, *normal = inputs
        i, f, g, o = ops.split(gates, 4, -1)
        dh_new, dh_old = _unmix(dh + dy, hold_h, rates[0])
        dc_new, dc_old = _unmix(dc, hold_c, rates[1])
        d_cell = dh_new * o * (1 - tanh_c * tanh_c)
        extra = ()
        if norm is not None:
            u, inverse_u, normal_c, inverse_c = normal
            extra = (d_cell,)
            d_cell = _normalize_adjoint(d_cell * norm[1], normal_c, inverse_c)
        dc_new = dc_new + d_cell
        dz = ops.concatenate(
            [
                dc_new * g * i * (1 - i),
                dc_new * c * f * (1 - f),
                dc_new * i * (1 - g * g),
                dh_new * tanh_c * o * (1 - o),
            ],
            -1,
        )
        du = dz
        if norm is not None:
            du = _normalize_adjoint(dz * norm[0], u, inverse_u)
            extra += (du,)
        back = product(du)
        if dropped is not None:
            extra += (back,)
            back = back * dropped
        return (dh_old + back, dc_old + dc_new * f), (dz, *extra)

    one, four = ((batch, units), dtype), ((batch, 4 * units), dtype)
    extra = (() if norm is None else (one, four)) + (() if dropped is None else (one,))
    (dh0, dc0), (dz, *more) = time_scan(
        step,
        (ops.zeros_like(h0), dc_last),
        (dh_steps, c_before, gates, tanh_c, *holds, *normal),
        (four, *extra),
        not reverse,
    )
    # Weight gradients: one product each over all steps at once.
    h_before = _shift(h, h0, reverse)
    du = dz if norm is None else more[1]
    fed = h_before if dropped is None else h_before * dropped
    fed, flat = ops.reshape(fed, (-1, units)), ops.reshape(du, (-1, 4 * units))
    if compute_dtype is not None:
        fed, flat = ops.cast(fed, compute_dtype), ops.cast(flat, compute_dtype)
    d_kernel = ops.cast(ops.transpose(fed) @ flat, kernel.dtype)
    gradients = [dz, d_kernel, dh0, dc0]
    if dropped is not None:
        gradients.append(ops.sum(more[-1] * h_before, 0))
    if norm is not None:
        d_pre = more[0]
        gradients += [
            ops.sum(dz * normal[0], (0, 1)),
            ops.sum(d_pre * normal[2], (0, 1)),
            ops.sum(d_pre, (0, 1)),
        ]
    return tuple(gradients)


def _shift(h, h0, reverse):
    first = ops.expand_dims(h0, 0)
    if reverse:
        return ops.concatenate([h[1:], first], 0)
    return ops.concatenate([first, h[:-1]], 0)


def _product(kernel, dtype, compute_dtype):
    if compute_dtype is None:
        return lambda x: x @ kernel
    kernel = ops.cast(kernel, compute_dtype)
    return lambda x: ops.cast(ops.cast(x, compute_dtype) @ kernel, dtype)


def _one_tanh(units, dtype):
    """Constants by which one tanh makes all gates: s(x) = tanh(x / 2) / 2 + 1 / 2."""
    half, one, zero = np.full(units, 0.5), np.ones(units), np.zeros(units)
    scale = np.concatenate([half, half, one, half])
    offset = np.concatenate([half, half, zero, half])
    return ops.convert_to_tensor(scale, dtype), ops.convert_to_tensor(offset, dtype)


def _mix(old, new, hold, rate):
    if rate:
        new = new + rate * (old - new)
    return new if hold is None else ops.where(hold, old, new)


def _unmix(gradient, hold, rate):
    """Splits the gradient of a mixture into those of its new and its old part."""
    new = gradient if hold is None else ops.where(hold, 0.0, gradient)
    old = gradient - new
    if rate:
        old = old + rate * new
        new = (1 - rate) * new
    return new, old


def normalize(x):
    """Zero mean and unit variance along the last axis, and the inverse deviation."""
    x = x - _mean(x)
    inverse = 1 / ops.sqrt(_mean(x * x) + EPSILON)
    return x * inverse, inverse


def _normalize_adjoint(gradient, normal, inverse):
    along = _mean(gradient * normal)
    return (gradient - _mean(gradient) - normal * along) * inverse


def _mean(x):
    # Not `ops.mean`, which rounds float64 to float32 on torch.
    return ops.sum(x, -1, keepdims=True) / x.shape[-1]


def zoneout_mask(rate, shape, seed):
    """Draws which units are held, each with probability `rate`.

    One random byte decides a unit: drawing dominates the cost of zoneout, and four
    bytes come from one random integer. Each step's threshold is rounded at random to
    a multiple of 1/256, which keeps the probability exact.

    Args:
        rate: Number in [0, 1].
        shape: `(time, batch, units)`.
        seed: `keras.random.SeedGenerator`.

    Returns:
        Boolean tensor of that shape.
    """
    time, batch, units = shape
    words = -(-units // 4)
    bits = keras.random.randint(
        (time, batch, words, 1), -(2**31), 2**31 - 1, "int32", seed
    )
    shifts = ops.convert_to_tensor(np.array([0, 8, 16, 24], "int32"))
    octets = ops.bitwise_and(ops.bitwise_right_shift(bits, shifts), 255)
    octets = ops.reshape(octets, (time, batch, 4 * words))[:, :, :units]
    jitter = keras.random.uniform((time, 1, 1), dtype="float32", seed=seed)
    threshold = ops.cast(ops.floor(256.0 * rate + jitter), "int32")
    return octets < threshold
