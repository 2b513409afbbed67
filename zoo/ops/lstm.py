"""The LSTM and its published variants, with the adjoint by hand.

Automatic differentiation of a loop saves every intermediate of every step and
multiplies weight gradients step by step. The adjoint here keeps only gates and cell
states, and computes the gradients of weights and inputs in bulk after the loop.

Inputs are multiplied before the loop, for all steps at once, so that the loops have
one product each, `(batch, units)` with a square of the kernel for each gate.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.ops import products
from zoo.ops.normalization import normalize, normalize_adjoint
from zoo.ops.scan import custom_gradient, time_scan
from zoo.ops.zoneout import mix, unmix


class Options(NamedTuple):
    """What `lstm` needs beyond tensors that have a gradient."""

    holds: tuple
    rates: tuple
    reverse: bool
    compute_dtype: str | None

    def product(self, kernel, dtype):
        return products.product(kernel, dtype, self.compute_dtype)


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
        hold_h, hold_c: Boolean `(time, batch, size)` and `(time, batch, units)`, or
            `(time, batch, 1)`, true where a state keeps its old value. `None` holds
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
        "inputs": inputs,
        "kernel": kernel,
        "bias": bias,
        "h0": h0,
        "c0": c0,
        "dropped": recurrent_mask,
        "peepholes": peepholes,
        "projection": projection,
    }
    if norm is not None:
        names = ("recurrent_gain", "cell_gain", "cell_bias")
        tensors.update(zip(names, norm, strict=True))
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

    return custom_gradient(run)(*(tensors[name] for name in names))


def _forward(given, options):
    h0, c0 = given["h0"], given["c0"]
    (batch, units), size, dtype = ops.shape(c0), h0.shape[1], h0.dtype
    scale, offset = _one_tanh(units, dtype)
    normed = "cell_gain" in given
    # The scale of the one tanh goes into what is multiplied, outside of the loop.
    inner = given["recurrent_gain"] * scale if normed else None
    z = given["bias"] * scale
    if given["inputs"] is not None:
        z = z + products.in_bulk(
            given["inputs"],
            given["kernel"][:-size] * scale,
            dtype,
            options.compute_dtype,
        )
    weights = given["kernel"][-size:]
    product = options.product(weights if normed else weights * scale, dtype)
    activate = _activation(given["peepholes"], scale, offset)
    project = None
    if given["projection"] is not None:
        project = options.product(given["projection"], dtype)

    def step(state, stream):
        h, c = state
        z, *holds = stream
        saved = ()
        u = product(h if given["dropped"] is None else h * given["dropped"])
        if normed:
            u, inverse = normalize(u)
            saved = (u, inverse)
            u = u * inner
        gates, o, new_c = activate(z + u, c)
        shown = new_c
        if normed:
            normal, inverse = normalize(new_c)
            saved += (normal, inverse)
            shown = normal * given["cell_gain"] + given["cell_bias"]
        new_h = o * tanh(shown)
        new_h = new_h if project is None else project(new_h)
        new_h = mix(h, new_h, holds[0], options.rates[0])
        new_c = mix(c, new_c, holds[1], options.rates[1])
        return (new_h, new_c), (gates, new_h, c, *saved)

    out = (ops.shape(h0), dtype)
    one, four = ((batch, units), dtype), ((batch, 4 * units), dtype)
    column = ((batch, 1), dtype)
    extra = (four, column, one, column) if normed else ()
    (_, c), (gates, h, c_before, *normal) = time_scan(
        step,
        (h0, c0),
        (z, *options.holds),
        (four, out, one, *extra),
        options.reverse,
        reuse=0,
        by_rows=given["dropped"] is None,
    )
    return (h, c), (h, c_before, gates, *normal)


def _activation(peepholes, scale, offset):
    """Function from scaled sums and the cell to gates, output gate and new cell."""
    if peepholes is None:

        def activate(z, c):
            gates = tanh(z) * scale + offset
            i, f, g, o = ops.split(gates, 4, -1)
            return gates, o, f * c + i * g

        return activate
    # The output gate sees the new cell, so that one tanh cannot make all gates.
    see_i, see_f, see_o = ops.split(0.5 * peepholes, 3, -1)

    def activate_with_peepholes(z, c):
        i, f, g, o = ops.split(z, 4, -1)
        i = 0.5 * tanh(i + see_i * c) + 0.5
        f = 0.5 * tanh(f + see_f * c) + 0.5
        g = tanh(g)
        new_c = f * c + i * g
        o = 0.5 * tanh(o + see_o * new_c) + 0.5
        return ops.concatenate([i, f, g, o], -1), o, new_c

    return activate_with_peepholes


def _adjoint(upstream, saved, given, options):
    h, c_before, gates, *normal = saved
    dh_steps, dc_last = upstream
    h0, c0, kernel = given["h0"], given["c0"], given["kernel"]
    dtype, size = h0.dtype, h0.shape[1]
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
    back = ops.transpose(kernel[-size:])
    (dh0, dc0), (dz, *more) = time_scan(
        _adjoint_step(given, options, options.product(back, dtype)),
        (ops.zeros_like(h0), dc_last),
        (dh_steps, c_before, gates, *options.holds, *normal),
        (four, *shapes.values()),
        not options.reverse,
        reuse=2,
        by_rows=given["dropped"] is None,
    )
    emitted = dict(zip(shapes, more, strict=True))
    h_before = products.before(h, h0, options.reverse)
    gradients = {"h0": dh0, "c0": dc0}
    gradients.update(_of_variants(emitted, dz, c_before, normal, options))
    if given["dropped"] is not None:
        gradients["dropped"] = ops.sum(emitted["back"] * h_before, 0)
        h_before = h_before * given["dropped"]
    each = len(given["bias"].shape) == 3
    gradients["bias"] = dz if each else products.bias_gradient(dz)
    du = emitted.get("du", dz)
    fed = h_before
    if given["inputs"] is not None:
        fed = ops.concatenate([given["inputs"], h_before], 2)
        gradients["inputs"] = products.input_gradient(
            kernel[:-size], du, options.compute_dtype
        )
    gradients["kernel"] = products.kernel_gradient(fed, du, options.compute_dtype)
    return gradients


def _adjoint_step(given, options, product):
    """One step of the adjoint; emits `dz`, and what `_adjoint` has listed shapes of."""
    normed, dropped = "cell_gain" in given, given["dropped"]
    peepholes, unproject = given["peepholes"], None
    if peepholes is not None:
        see_i, see_f, see_o = ops.split(peepholes, 3, -1)
    if given["projection"] is not None:
        projection = ops.transpose(given["projection"])
        unproject = options.product(projection, given["h0"].dtype)

    def step(state, stream):
        dh, dc = state
        dy, c, gates, hold_h, hold_c, *normal = stream
        i, f, g, o = ops.split(gates, 4, -1)
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
            d_cell = normalize_adjoint(d_cell * given["cell_gain"], normal_c, inverse_c)
        dc_new = dc_new + d_cell
        d_o = dh_new * tanh_c * o * (1 - o)
        if peepholes is not None:
            seen = (d_o * (f * c + i * g),)
            dc_new = dc_new + d_o * see_o
        d_i, d_f = dc_new * g * i * (1 - i), dc_new * c * f * (1 - f)
        dz = ops.concatenate([d_i, d_f, dc_new * i * (1 - g * g), d_o], -1)
        dc_old = dc_old + dc_new * f
        if peepholes is not None:
            dc_old = dc_old + d_i * see_i + d_f * see_f
        du = dz
        if normed:
            du = normalize_adjoint(dz * given["recurrent_gain"], u, inverse_u)
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
    gradients, total = {}, products.bias_gradient
    if "du" in emitted:
        u, _, normal_c, _ = normal
        gradients["recurrent_gain"] = total(dz * u)
        gradients["cell_gain"] = total(emitted["d_shown"] * normal_c)
        gradients["cell_bias"] = total(emitted["d_shown"])
    if "d_see_o" in emitted:
        d_i, d_f, _, _ = ops.split(dz, 4, -1)
        seen = [total(d_i * c_before), total(d_f * c_before), total(emitted["d_see_o"])]
        gradients["peepholes"] = ops.concatenate(seen, 0)
    if "dh" in emitted:
        gradients["projection"] = products.kernel_gradient(
            emitted["unprojected"], emitted["dh"], options.compute_dtype
        )
    return gradients


def _one_tanh(units, dtype):
    """Constants by which one tanh makes all gates: s(x) = tanh(x / 2) / 2 + 1 / 2."""
    half, one, zero = np.full(units, 0.5), np.ones(units), np.zeros(units)
    scale = np.concatenate([half, half, one, half])
    offset = np.concatenate([half, half, zero, half])
    return ops.convert_to_tensor(scale, dtype), ops.convert_to_tensor(offset, dtype)


def tanh(x):
    """`ops.tanh`, which rounds float64 to float32 on JAX."""
    if keras.backend.standardize_dtype(x.dtype) == "float64":
        return 2 * ops.sigmoid(2 * x) - 1
    return ops.tanh(x)
