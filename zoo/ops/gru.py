"""The GRU with zoneout and masks, with its adjoint by hand.

As in `zoo.ops.lstm`, loops keep only what the adjoint cannot make again; gradients of
weights and inputs are products over all steps after it.
"""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from zoo.ops import products
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
        return products.product(kernel, dtype, self.compute_dtype)


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
        hold: Boolean `(time, batch, units)` or `(time, batch, 1)`, true where the
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
    options = Options(
        hold, float(rate), recurrent_mask, reset_after, reverse, compute_dtype
    )
    tensors = {
        "inputs": inputs,
        "kernel": kernel,
        "recurrent_kernel": recurrent_kernel,
        "bias": bias,
        "h0": h0,
    }
    if reset_after:
        tensors["candidate_bias"] = candidate_bias

    def run(*values):
        given = dict(zip(tensors, values, strict=True))
        h, saved = _forward(given, options)

        def gradient(upstream):
            gradients = _adjoint(upstream[0], h, saved, given, options)
            return tuple(gradients[name] for name in tensors)

        return (h,), gradient

    return custom_gradient(run)(*tensors.values())[0]


def _forward(given, options):
    h0 = given["h0"]
    (batch, units), dtype = ops.shape(h0), h0.dtype
    gates = (_gates_after if options.reset_after else _gates_before)(given, options)
    scale = _halves(units, dtype)
    project = options.product(given["kernel"] * scale, dtype)
    bias = given["bias"] * scale

    def step(state, stream):
        (h,), (x, hold) = state, stream
        # In the loop: at inference that was faster than before it, for all steps.
        v = project(x) + bias
        z, candidate, saved = gates(v, options.fed(h))
        new = mix(h, candidate + z * (h - candidate), hold, options.rate)
        return (new,), (saved, new)

    size = (4 if options.reset_after else 3) * units
    _, (saved, h) = time_scan(
        step,
        (h0,),
        (given["inputs"], options.hold),
        (((batch, size), dtype), ((batch, units), dtype)),
        options.reverse,
        by_rows=options.dropped is None,
    )
    return h, saved


def _halves(units, dtype):
    """The inner half of s(x) = tanh(x / 2) / 2 + 1 / 2, for columns of the weights."""
    scale = np.repeat([0.5, 0.5, 1.0], units)
    return ops.convert_to_tensor(scale, dtype)


def _gates_after(given, options):
    """Function from projected inputs and state to z, g, and what the adjoint needs."""
    n, dtype = given["h0"].shape[1], given["h0"].dtype
    weights = given["recurrent_kernel"] * _halves(n, dtype)
    product = options.product(weights, dtype)

    def gates(v, fed):
        u = product(fed)
        zr = 0.5 * tanh(v[:, : 2 * n] + u[:, : 2 * n]) + 0.5
        inner = u[:, 2 * n :] + given["candidate_bias"]
        candidate = tanh(v[:, 2 * n :] + zr[:, n:] * inner)
        return zr[:, :n], candidate, ops.concatenate([zr, candidate, inner], -1)

    return gates


def _gates_before(given, options):
    n, dtype = given["h0"].shape[1], given["h0"].dtype
    weights = given["recurrent_kernel"]
    product = options.product(0.5 * weights[:, : 2 * n], dtype)
    candidate_product = options.product(weights[:, 2 * n :], dtype)

    def gates(v, fed):
        zr = 0.5 * tanh(v[:, : 2 * n] + product(fed)) + 0.5
        candidate = tanh(v[:, 2 * n :] + candidate_product(zr[:, n:] * fed))
        return zr[:, :n], candidate, ops.concatenate([zr, candidate], -1)

    return gates


def _adjoint(dh_steps, h, saved, given, options):
    h0 = given["h0"]
    (batch, units), dtype = ops.shape(h0), h0.dtype
    h_before = products.before(h, h0, options.reverse)
    back = (_back_after if options.reset_after else _back_before)(given, options)

    def step(state, stream):
        (dh,), (dy, h, saved, hold) = state, stream
        new, old = unmix(dh + dy, hold, options.rate)
        z, r, candidate, *inner = ops.split(saved, size // units, -1)
        dg = new * (1 - z) * (1 - candidate * candidate)
        dz = new * (h - candidate) * z * (1 - z)
        d_fed, emitted = back(dz, dg, r, h, *inner)
        return (old + new * z + options.fed(d_fed),), (emitted,)

    size = (4 if options.reset_after else 3) * units
    (dh0,), (d,) = time_scan(
        step,
        (ops.zeros_like(h0),),
        (dh_steps, h_before, saved, options.hold),
        (((batch, size), dtype),),
        not options.reverse,
        # The other kernel gradient still needs what was saved.
        reuse=2 if options.reset_after else None,
        by_rows=options.dropped is None,
    )
    gradients = _kernels_after if options.reset_after else _kernels_before
    found = gradients(d, h_before, saved, units, options)
    dz, compute_dtype = d[:, :, -3 * units :], options.compute_dtype
    return {
        **found,
        "h0": dh0,
        "bias": products.bias_gradient(dz),
        "kernel": products.kernel_gradient(given["inputs"], dz, compute_dtype),
        "inputs": products.input_gradient(given["kernel"], dz, compute_dtype),
    }


def _back_after(given, options):
    """Function from gradients of z and g to that of the state fed in, and the rest.

    The rest is `[candidate's recurrent part, z, r, g]`, before the nonlinearities:
    its first three parts belong to the recurrent kernel, its last three to the kernel.
    """
    n, kernel = given["h0"].shape[1], given["recurrent_kernel"]
    kernel = ops.concatenate([kernel[:, 2 * n :], kernel[:, : 2 * n]], 1)
    product = options.product(ops.transpose(kernel), kernel.dtype)

    def back(dz, dg, r, _, inner):
        d = ops.concatenate([dg * r, dz, dg * inner * r * (1 - r), dg], -1)
        return product(d[:, : 3 * n]), d

    return back


def _back_before(given, options):
    n, kernel = given["h0"].shape[1], ops.transpose(given["recurrent_kernel"])
    product = options.product(kernel[: 2 * n], kernel.dtype)
    candidate_product = options.product(kernel[2 * n :], kernel.dtype)

    def back(dz, dg, r, h):
        d_reset = candidate_product(dg)
        dr = d_reset * options.fed(h) * r * (1 - r)
        d_zr = ops.concatenate([dz, dr], -1)
        return product(d_zr) + d_reset * r, ops.concatenate([d_zr, dg], -1)

    return back


def _kernels_after(d, h_before, _, n, options):
    fed, dtype = options.fed(h_before), options.compute_dtype
    gradient = products.kernel_gradient(fed, d[:, :, : 3 * n], dtype)
    gradient = ops.concatenate([gradient[:, n:], gradient[:, :n]], 1)
    bias = products.bias_gradient(d[:, :, :n])
    return {"recurrent_kernel": gradient, "candidate_bias": bias}


def _kernels_before(d, h_before, saved, n, options):
    fed, dtype = options.fed(h_before), options.compute_dtype
    gates = products.kernel_gradient(fed, d[:, :, : 2 * n], dtype)
    reset = saved[:, :, n : 2 * n] * fed
    candidate = products.kernel_gradient(reset, d[:, :, 2 * n :], dtype)
    return {"recurrent_kernel": ops.concatenate([gates, candidate], 1)}
