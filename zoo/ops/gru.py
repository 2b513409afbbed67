"""The GRU with zoneout and masks, with its adjoint by hand.

As in `zoo.ops.lstm`, loops run units first and keep only what the adjoint cannot make
again; gradients of weights and inputs are products over all steps after the loop.
"""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from zoo.ops import units_first
from zoo.ops.lstm import tanh
from zoo.ops.scan import custom_gradient, time_scan
from zoo.ops.zoneout import mix, unmix


class Options(NamedTuple):
    """What `gru` needs beyond tensors that have a gradient."""

    hold: Any
    rate: float
    dropped: Any
    reset_after: bool
    reverse: bool
    compute_dtype: str | None

    def fed(self, h):
        """The state as it enters the recurrent product."""
        return h if self.dropped is None else h * self.dropped

    def product(self, kernel, dtype):
        return units_first.product(kernel, dtype, self.compute_dtype)


def gru(
    inputs,
    kernel,
    recurrent_kernel,
    bias,
    candidate_bias,
    h0,
    *,
    hold=None,
    rate=0.0,
    recurrent_mask=None,
    reset_after=True,
    reverse=False,
    compute_dtype=None,
):
    r"""Runs a GRU, time first.

    For each step, with $\tilde h = m \odot h_{t-1}$ (recurrent dropout):

        z, r = sigma, sigma (x_t W_zr + h~ U_zr + b_zr)
        g = tanh(x_t W_g + b_g + r * (h~ U_g + b_c))    with `reset_after`
        g = tanh(x_t W_g + b_g + (r * h~) U_g)          without
        h[t] = the mixture of h[t-1] with z * h[t-1] + (1 - z) * g

    The mixture is zoneout's, as in `zoo.ops.lstm`.

    Args:
        inputs: `(time, batch, features)`.
        kernel: `(features, 3 * units)`, in Keras' order: update gate z, reset gate r,
            candidate g.
        recurrent_kernel: `(units, 3 * units)`.
        bias: `(3 * units,)`.
        candidate_bias: `(units,)`, the bias b_c. `None` without `reset_after`.
        h0: Initial state, `(batch, units)`.
        hold: Boolean `(time, units, batch)` or `(time, 1, batch)`, true where the
            state keeps its old value. `None` holds nothing.
        rate: Number in [0, 1], the part of the old value that is mixed in where it is
            not held.
        recurrent_mask: `(batch, units)`, multiplied with the state on its way into
            the recurrent products. It gets no gradient.
        reset_after: Whether the reset gate acts after the recurrent product.
        reverse: Whether to run backwards in time.
        compute_dtype: dtype of the products; states and sums keep that of `h0`.

    Returns:
        States for all steps, `(time, batch, units)`.
    """
    dropped = None if recurrent_mask is None else ops.transpose(recurrent_mask)
    options = Options(hold, float(rate), dropped, reset_after, reverse, compute_dtype)
    tensors = {
        "inputs": ops.transpose(inputs, (0, 2, 1)),
        "kernel": kernel,
        "recurrent_kernel": recurrent_kernel,
        "bias": units_first.columns(bias),
        "h0": ops.transpose(h0),
    }
    if reset_after:
        tensors["candidate_bias"] = units_first.columns(candidate_bias)

    def run(*values):
        given = dict(zip(tensors, values, strict=True))
        h, saved = _forward(given, options)

        def gradient(upstream):
            gradients = _adjoint(upstream[0], h, saved, given, options)
            return tuple(gradients[name] for name in tensors)

        return (h,), gradient

    (h,) = custom_gradient(run)(*tensors.values())
    return ops.transpose(h, (0, 2, 1))


def _forward(given, options):
    h0 = given["h0"]
    (units, batch), dtype = ops.shape(h0), h0.dtype
    gates = (_gates_after if options.reset_after else _gates_before)(given, options)
    scale = _halves(units, dtype)
    bias = given["bias"] * scale
    project = options.product(ops.transpose(given["kernel"]) * scale, dtype)

    def step(state, stream):
        (h,), (x, hold) = state, stream
        z, candidate, saved = gates(project(x) + bias, options.fed(h))
        new = mix(h, candidate + z * (h - candidate), hold, options.rate)
        return (new,), (saved, new)

    size = (4 if options.reset_after else 3) * units
    _, (saved, h) = time_scan(
        step,
        (h0,),
        (given["inputs"], options.hold),
        (((size, batch), dtype), ((units, batch), dtype)),
        options.reverse,
    )
    return h, saved


def _halves(units, dtype):
    """The inner half of s(x) = tanh(x / 2) / 2 + 1 / 2, for rows of the weights."""
    scale = np.repeat([0.5, 0.5, 1.0], units)[:, None]
    return ops.convert_to_tensor(scale, dtype)


def _gates_after(given, options):
    """Function from projected inputs and state to z, g, and what the adjoint needs."""
    n, dtype = given["h0"].shape[0], given["h0"].dtype
    weights = ops.transpose(given["recurrent_kernel"]) * _halves(n, dtype)
    product = options.product(weights, dtype)

    def gates(v, fed):
        u = product(fed)
        zr = 0.5 * tanh(v[: 2 * n] + u[: 2 * n]) + 0.5
        inner = u[2 * n :] + given["candidate_bias"]
        candidate = tanh(v[2 * n :] + zr[n:] * inner)
        return zr[:n], candidate, ops.concatenate([zr, candidate, inner], 0)

    return gates


def _gates_before(given, options):
    n, dtype = given["h0"].shape[0], given["h0"].dtype
    weights = ops.transpose(given["recurrent_kernel"])
    product = options.product(0.5 * weights[: 2 * n], dtype)
    candidate_product = options.product(weights[2 * n :], dtype)

    def gates(v, fed):
        zr = 0.5 * tanh(v[: 2 * n] + product(fed)) + 0.5
        candidate = tanh(v[2 * n :] + candidate_product(zr[n:] * fed))
        return zr[:n], candidate, ops.concatenate([zr, candidate], 0)

    return gates


def _adjoint(dh_steps, h, saved, given, options):
    h0 = given["h0"]
    (units, batch), dtype = ops.shape(h0), h0.dtype
    h_before = units_first.before(h, h0, options.reverse)
    back = (_back_after if options.reset_after else _back_before)(given, options)

    def step(state, stream):
        (dh,), (dy, h, saved, hold) = state, stream
        new, old = unmix(dh + dy, hold, options.rate)
        z, r, candidate = saved[:units], saved[units : 2 * units], saved[2 * units :]
        candidate, inner = candidate[:units], candidate[units:]
        dg = new * (1 - z) * (1 - candidate * candidate)
        dz = new * (h - candidate) * z * (1 - z)
        d_fed, emitted = back(dz, dg, r, inner, h)
        return (old + new * z + options.fed(d_fed),), (emitted,)

    size = (4 if options.reset_after else 3) * units
    (dh0,), (d,) = time_scan(
        step,
        (ops.zeros_like(h0),),
        (dh_steps, h_before, saved, options.hold),
        (((size, batch), dtype),),
        not options.reverse,
        # The other kernel gradient still needs what was saved.
        reuse=2 if options.reset_after else None,
    )
    gradients = _kernels_after if options.reset_after else _kernels_before
    found = gradients(d, h_before, saved, units, options)
    dz, compute_dtype = d[:, -3 * units :], options.compute_dtype
    return {
        **found,
        "h0": dh0,
        "bias": units_first.bias_gradient(dz),
        "kernel": units_first.kernel_gradient(given["inputs"], dz, compute_dtype),
        "inputs": units_first.input_gradient(given["kernel"], dz, compute_dtype),
    }


def _back_after(given, options):
    """Function from gradients of z and g to that of the state fed in, and the rest.

    The rest is `[candidate's recurrent part, z, r, g]`, before the nonlinearities:
    its first three parts belong to the recurrent kernel, its last three to the kernel.
    """
    n, kernel = given["h0"].shape[0], given["recurrent_kernel"]
    kernel = ops.concatenate([kernel[:, 2 * n :], kernel[:, : 2 * n]], 1)
    product = options.product(kernel, kernel.dtype)

    def back(dz, dg, r, inner, _):
        d = ops.concatenate([dg * r, dz, dg * inner * r * (1 - r), dg], 0)
        return product(d[: 3 * n]), d

    return back


def _back_before(given, options):
    n, kernel = given["h0"].shape[0], given["recurrent_kernel"]
    product = options.product(kernel[:, : 2 * n], kernel.dtype)
    candidate_product = options.product(kernel[:, 2 * n :], kernel.dtype)

    def back(dz, dg, r, _, h):
        d_reset = candidate_product(dg)
        dr = d_reset * options.fed(h) * r * (1 - r)
        d_zr = ops.concatenate([dz, dr], 0)
        return product(d_zr) + d_reset * r, ops.concatenate([d_zr, dg], 0)

    return back


def _kernels_after(d, h_before, _, n, options):
    fed, dtype = options.fed(h_before), options.compute_dtype
    gradient = units_first.kernel_gradient(fed, d[:, : 3 * n], dtype)
    gradient = ops.concatenate([gradient[:, n:], gradient[:, :n]], 1)
    bias = units_first.bias_gradient(d[:, : 3 * n])[:n]
    return {"recurrent_kernel": gradient, "candidate_bias": bias}


def _kernels_before(d, h_before, saved, n, options):
    fed, dtype = options.fed(h_before), options.compute_dtype
    gates = units_first.kernel_gradient(fed, d[:, : 2 * n], dtype)
    reset = saved[:, n : 2 * n] * fed
    candidate = units_first.kernel_gradient(reset, d[:, 2 * n :], dtype)
    return {"recurrent_kernel": ops.concatenate([gates, candidate], 1)}
