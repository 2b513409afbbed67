"""The LSTM and its published variants, with the adjoint by hand.

Automatic differentiation of a loop saves every intermediate of every step and
multiplies weight gradients step by step. The adjoint here keeps only gates and cell
states, and computes the gradients of weights and inputs in bulk after the loop.

Inside of the loops everything lies units first, `(units, batch)`: a product of the
weights with few columns is what XLA multiplies fastest on a CPU, and gates are then
contiguous blocks of rows.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.ops.normalization import normalize, normalize_adjoint
from zoo.ops.scan import custom_gradient, time_scan
from zoo.ops.zoneout import mix, unmix


class Options(NamedTuple):
    """What `lstm` needs beyond tensors that have a gradient."""

    holds: tuple
    rates: tuple
    reverse: bool
    compute_dtype: str | None


def lstm(
    inputs,
    kernel,
    bias,
    h0,
    c0,
    *,
    hold_h=None,
    hold_c=None,
    rate_h=0.0,
    rate_c=0.0,
    recurrent_mask=None,
    norm=None,
    peepholes=None,
    projection=None,
    reverse=False,
    compute_dtype=None,
):
    r"""Runs an LSTM, time first.

    For each step, with $\tilde h = r \odot h_{t-1}$ (recurrent dropout):

        i, f, g, o = sigma, sigma, tanh, sigma ([x_t; h~] K + b)
        c~ = f * c[t-1] + i * g
        h~ = o * tanh(c~)
        c[t], h[t] = the mixture of c[t-1] with c~, and of h[t-1] with h~

    The mixture is zoneout (Krueger et al., 2017): a held unit keeps its old value,
    and the others take `rate` parts of the old and `1 - rate` parts of the new. In
    training, `hold` is random and the rate 0; at inference, the rate is zoneout's
    expectation and `hold` marks only the masked steps.

    With peepholes p, the gates also see the cell: i and f add p * c[t-1] to what
    their sigma takes, o adds p * c~. With a projection P, `h~ = (o * tanh(c~)) P`,
    and `size` below is the number of P's columns; without, it is `units`.

    Args:
        inputs: `(time, batch, features)`, or `None` if `bias` has all of them.
        kernel: `(features + size, 4 * units)`: rows of the inputs, then of the
            state; gates in Keras' order: input, forget, candidate, output.
        bias: `(4 * units,)`, or one for each step, `(time, batch, 4 * units)`:
            inputs that were multiplied before.
        h0, c0: Initial states, `(batch, size)` and `(batch, units)`.
        hold_h, hold_c: Boolean `(time, size, batch)` and `(time, units, batch)`, or
            `(time, 1, batch)`, true where a state keeps its old value. `None` holds
            nothing.
        rate_h, rate_c: Numbers in [0, 1], the part of the old value that is mixed in
            where it is not held.
        recurrent_mask: `(batch, size)`, multiplied with the state on its way into
            the recurrent product.
        norm: `None`, or `(recurrent_gain, cell_gain, cell_bias)` for the layer
            normalisation of Ba et al. (2016); shapes `(4 * units,)`, `(units,)`,
            `(units,)`. It takes products of inputs as `bias`.
        peepholes: `None`, or `(3 * units,)`: of the input, forget and output gate.
        projection: `None`, or `(units, size)`.
        reverse: Whether to run backwards in time.
        compute_dtype: dtype of the products; states and sums keep that of `h0`.

    Returns:
        States `h` for all steps `(time, batch, size)` and the final `c`
        `(batch, units)`. The final `h` is the last (with `reverse`, the first) step.
    """
    options = Options(
        holds=(hold_h, hold_c),
        rates=(float(rate_h), float(rate_c)),
        reverse=reverse,
        compute_dtype=compute_dtype,
    )
    tensors = {
        "inputs": None if inputs is None else ops.transpose(inputs, (0, 2, 1)),
        "kernel": kernel,
        "bias": _columns(bias),
        "h0": ops.transpose(h0),
        "c0": ops.transpose(c0),
        "dropped": None if recurrent_mask is None else ops.transpose(recurrent_mask),
        "peepholes": None if peepholes is None else _columns(peepholes),
        "projection": projection,
    }
    if norm is not None:
        names = ("recurrent_gain", "cell_gain", "cell_bias")
        tensors.update(zip(names, map(_columns, norm), strict=True))
    # `custom_gradient` takes tensors alone: without those that are not there.
    names = [name for name, tensor in tensors.items() if tensor is not None]
    absent = dict.fromkeys(tensors)

    def run(*values):
        given = {**absent, **dict(zip(names, values, strict=True))}
        outputs, saved = _forward(given, options)

        def gradient(upstream):
            gradients = _adjoint(upstream, saved, given, options)
            return tuple(gradients[name] for name in names)

        return outputs, gradient

    h, c = custom_gradient(run)(*(tensors[name] for name in names))
    return ops.transpose(h, (0, 2, 1)), ops.transpose(c)


def _columns(x):
    """Turns units first: `(units,)` to `(units, 1)`, or for each step."""
    if len(x.shape) == 1:
        return ops.expand_dims(x, -1)
    return ops.transpose(x, (0, 2, 1))


def _forward(given, options):
    inputs, bias, h0, c0 = (given[k] for k in ("inputs", "bias", "h0", "c0"))
    (units, batch), dtype = ops.shape(c0), h0.dtype
    scale, offset = _one_tanh(units, dtype)
    normed = "cell_gain" in given
    # The scale of the one tanh goes into what is multiplied, outside of the loop.
    inner = given["recurrent_gain"] * scale if normed else None
    weights = ops.transpose(given["kernel"])
    product = _product(weights if normed else weights * scale, options, dtype)
    constant = None
    if len(bias.shape) == 2:
        constant, bias = bias * scale, None
    activate = _activation(given["peepholes"], scale, offset)
    project = None
    if given["projection"] is not None:
        project = _product(ops.transpose(given["projection"]), options, dtype)

    def step(state, stream):
        h, c = state
        x, z, *holds = stream
        saved = ()
        fed = h if given["dropped"] is None else h * given["dropped"]
        u = product(fed if x is None else ops.concatenate([x, fed], 0))
        if normed:
            u, inverse = normalize(u, 0)
            saved = (u, inverse)
            u = u * inner
        gates, o, new_c = activate(u + (constant if z is None else z * scale), c)
        shown = new_c
        if normed:
            normal, inverse = normalize(new_c, 0)
            saved += (normal, inverse)
            shown = normal * given["cell_gain"] + given["cell_bias"]
        new_h = o * tanh(shown)
        new_h = new_h if project is None else project(new_h)
        new_h = mix(h, new_h, holds[0], options.rates[0])
        new_c = mix(c, new_c, holds[1], options.rates[1])
        return (new_h, new_c), (new_h, c, gates, *saved)

    one, four = ((units, batch), dtype), ((4 * units, batch), dtype)
    row = ((1, batch), dtype)
    extra = (four, row, one, row) if normed else ()
    (_, c), (h, *saved) = time_scan(
        step,
        (h0, c0),
        (inputs, bias, *options.holds),
        ((ops.shape(h0), dtype), one, four, *extra),
        options.reverse,
    )
    return (h, c), (h, *saved)


def _activation(peepholes, scale, offset):
    """Function from scaled sums and the cell to gates, output gate and new cell."""
    if peepholes is None:

        def activate(z, c):
            gates = tanh(z) * scale + offset
            i, f, g, o = ops.split(gates, 4, 0)
            return gates, o, f * c + i * g

        return activate
    # The output gate sees the new cell, so that one tanh cannot make all gates.
    see_i, see_f, see_o = ops.split(0.5 * peepholes, 3, 0)

    def activate_with_peepholes(z, c):
        i, f, g, o = ops.split(z, 4, 0)
        i = 0.5 * tanh(i + see_i * c) + 0.5
        f = 0.5 * tanh(f + see_f * c) + 0.5
        g = tanh(g)
        new_c = f * c + i * g
        o = 0.5 * tanh(o + see_o * new_c) + 0.5
        return ops.concatenate([i, f, g, o], 0), o, new_c

    return activate_with_peepholes


def _adjoint(upstream, saved, given, options):
    h, c_before, gates, *normal = saved
    dh_steps, dc_last = upstream
    h0, c0, kernel = given["h0"], given["c0"], given["kernel"]
    dtype, size = h0.dtype, h0.shape[0]
    one, four = (ops.shape(c0), dtype), (ops.shape(gates)[1:], dtype)
    out = (ops.shape(h0), dtype)
    shapes = {}
    if "cell_gain" in given:
        shapes.update(d_shown=one, du=four)
    if given["peepholes"] is not None:
        shapes.update(d_see_o=one)
    if given["projection"] is not None:
        shapes.update(dh=out, unprojected=one)
    if given["dropped"] is not None:
        shapes.update(back=out)
    (dh0, dc0), (dz, *more) = time_scan(
        _adjoint_step(given, options, _product(kernel[-size:], options, dtype)),
        (ops.zeros_like(h0), dc_last),
        (dh_steps, c_before, gates, *options.holds, *normal),
        (four, *shapes.values()),
        not options.reverse,
        reuse=2,
    )
    emitted = dict(zip(shapes, more, strict=True))
    h_before = _shift(h, h0, options.reverse)
    gradients = {"h0": dh0, "c0": dc0}
    gradients.update(_of_variants(emitted, dz, c_before, normal, options))
    if given["dropped"] is not None:
        gradients["dropped"] = ops.sum(emitted["back"] * h_before, 0)
        h_before = h_before * given["dropped"]
    each = len(given["bias"].shape) == 3
    gradients["bias"] = dz if each else _sum(dz)
    du = emitted.get("du", dz)
    return {**gradients, **_in_bulk(given["inputs"], h_before, du, kernel, options)}


def _adjoint_step(given, options, product):
    """One step of the adjoint; emits `dz`, and what `_adjoint` has listed shapes of."""
    normed, dropped = "cell_gain" in given, given["dropped"]
    peepholes, unproject = given["peepholes"], None
    if peepholes is not None:
        see_i, see_f, see_o = ops.split(peepholes, 3, 0)
    if given["projection"] is not None:
        unproject = _product(given["projection"], options, given["h0"].dtype)

    def step(state, stream):
        dh, dc = state
        dy, c, gates, hold_h, hold_c, *normal = stream
        i, f, g, o = ops.split(gates, 4, 0)
        if normed:
            u, inverse_u, normal_c, inverse_c = normal
            tanh_c = tanh(normal_c * given["cell_gain"] + given["cell_bias"])
        else:
            tanh_c = tanh(f * c + i * g)
        dh_new, dh_old = unmix(dh + dy, hold_h, options.rates[0])
        dc_new, dc_old = unmix(dc, hold_c, options.rates[1])
        emitted, seen, projected = (), (), ()
        if unproject is not None:
            projected = (dh_new, o * tanh_c)
            dh_new = unproject(dh_new)
        d_cell = dh_new * o * (1 - tanh_c * tanh_c)
        if normed:
            emitted = (d_cell,)
            d_cell = normalize_adjoint(
                d_cell * given["cell_gain"], normal_c, inverse_c, 0
            )
        dc_new = dc_new + d_cell
        d_o = dh_new * tanh_c * o * (1 - o)
        if peepholes is not None:
            seen = (d_o * (f * c + i * g),)
            dc_new = dc_new + d_o * see_o
        d_i, d_f = dc_new * g * i * (1 - i), dc_new * c * f * (1 - f)
        dz = ops.concatenate([d_i, d_f, dc_new * i * (1 - g * g), d_o], 0)
        dc_old = dc_old + dc_new * f
        if peepholes is not None:
            dc_old = dc_old + d_i * see_i + d_f * see_f
        du = dz
        if normed:
            du = normalize_adjoint(dz * given["recurrent_gain"], u, inverse_u, 0)
            emitted += (du,)
        emitted += (*seen, *projected)
        back = product(du)
        if dropped is not None:
            emitted += (back,)
            back = back * dropped
        return (dh_old + back, dc_old), (dz, *emitted)

    return step


def _of_variants(emitted, dz, c_before, normal, options):
    """Gradients of gains, peepholes and projection, over all steps at once."""
    gradients = {}
    if "du" in emitted:
        u, _, normal_c, _ = normal
        gradients["recurrent_gain"] = _sum(dz * u)
        gradients["cell_gain"] = _sum(emitted["d_shown"] * normal_c)
        gradients["cell_bias"] = _sum(emitted["d_shown"])
    if "d_see_o" in emitted:
        d_i, d_f, _, _ = ops.split(dz, 4, 1)
        seen = [_sum(d_i * c_before), _sum(d_f * c_before), _sum(emitted["d_see_o"])]
        gradients["peepholes"] = ops.concatenate(seen, 0)
    if "dh" in emitted:
        cast = _caster(options)
        units, size = emitted["unprojected"].shape[1], emitted["dh"].shape[1]
        rows = ops.transpose(cast(emitted["unprojected"]), (1, 0, 2))
        columns = ops.transpose(cast(emitted["dh"]), (0, 2, 1))
        product = ops.reshape(rows, (units, -1)) @ ops.reshape(columns, (-1, size))
        gradients["projection"] = ops.cast(product, dz.dtype)
    return gradients


def _in_bulk(inputs, h_before, dz, kernel, options):
    """Gradients of kernel and inputs: one product each, over all steps at once.

    Both are products of plain row-major matrices; XLA multiplies transposed ones at
    half the speed.
    """
    cast = _caster(options)
    time, gates, batch = ops.shape(dz)
    fed = h_before if inputs is None else ops.concatenate([inputs, h_before], 1)
    rows = fed.shape[1]
    fed = ops.reshape(ops.transpose(cast(fed), (1, 0, 2)), (rows, -1))
    flat = ops.reshape(ops.transpose(cast(dz), (0, 2, 1)), (-1, gates))
    gradients = {"kernel": ops.cast(fed @ flat, kernel.dtype)}
    if inputs is not None:
        features = inputs.shape[1]
        d_inputs = flat @ ops.transpose(cast(kernel[:features]))
        d_inputs = ops.reshape(d_inputs, (time, batch, features))
        d_inputs = ops.transpose(d_inputs, (0, 2, 1))
        gradients["inputs"] = ops.cast(d_inputs, inputs.dtype)
    return gradients


def _sum(x):
    return ops.expand_dims(ops.sum(x, (0, 2)), -1)


def _shift(h, h0, reverse):
    first = ops.expand_dims(h0, 0)
    if reverse:
        return ops.concatenate([h[1:], first], 0)
    return ops.concatenate([first, h[:-1]], 0)


def _caster(options):
    if options.compute_dtype is None:
        return lambda x: x
    return lambda x: ops.cast(x, options.compute_dtype)


def _product(kernel, options, dtype):
    cast = _caster(options)
    kernel = cast(kernel)
    return lambda x: ops.cast(kernel @ cast(x), dtype)


def _one_tanh(units, dtype):
    """Constants by which one tanh makes all gates: s(x) = tanh(x / 2) / 2 + 1 / 2."""
    half, one, zero = np.full(units, 0.5), np.ones(units), np.zeros(units)
    scale = np.concatenate([half, half, one, half])[:, None]
    offset = np.concatenate([half, half, zero, half])[:, None]
    return ops.convert_to_tensor(scale, dtype), ops.convert_to_tensor(offset, dtype)


def tanh(x):
    """`ops.tanh`, which rounds float64 to float32 on JAX."""
    if keras.backend.standardize_dtype(x.dtype) == "float64":
        return 2 * ops.sigmoid(2 * x) - 1
    return ops.tanh(x)
