"""The independently recurrent network, with its adjoint by hand.

Units do not see each other, so that the loop over time has no product in it: inputs are
multiplied before it, for all steps at once, and gradients of weights after it. Nothing
but the outputs is saved for the adjoint.
"""

from typing import Any, NamedTuple

from keras import ops

from zoo.ops import products
from zoo.ops.activation import ACTIVATIONS, bounded
from zoo.ops.scan import custom_gradient, time_scan
from zoo.ops.zoneout import mix, unmix


class Options(NamedTuple):
    """What `ind_rnn` needs beyond tensors that have a gradient."""

    activation: str
    bound: float | None
    hold: Any
    reverse: bool
    compute_dtype: str | None


def ind_rnn(
    inputs,
    kernel,
    recurrent_kernel,
    bias,
    h0,
    *,
    activation="relu",
    bound=None,
    hold=None,
    reverse=False,
    compute_dtype=None,
):
    """Runs an independently recurrent network, time first.

        h[t] = activation(x_t W + clip(u, -bound, bound) * h[t-1] + b)

    Args:
        inputs: `(time, batch, features)`.
        kernel: `(features, units)`.
        recurrent_kernel: `(units,)`, the weights u.
        bias: `(units,)`.
        h0: Initial state, `(batch, units)`.
        activation: `"relu"`, `"tanh"` or `"linear"`.
        bound: Largest modulus of a recurrent weight; larger ones are clipped, and get
            no gradient. `None` clips nothing.
        hold: Boolean `(time, batch, 1)`, true where the state keeps its old value.
        reverse: Whether to run backwards in time.
        compute_dtype: dtype of the products; states and sums keep that of `h0`.

    Returns:
        States for all steps, `(time, batch, units)`.
    """
    options = Options(activation, bound, hold, reverse, compute_dtype)

    def run(inputs, kernel, recurrent_kernel, bias, h0):
        clipped = bounded(recurrent_kernel, bound)
        h = _forward(inputs, kernel, clipped, bias, h0, options)

        def gradient(upstream):
            d_inputs, d_kernel, du, *others = _adjoint(
                upstream[0], h, inputs, kernel, clipped, h0, options
            )
            if bound is not None:
                du = ops.where(clipped == recurrent_kernel, du, 0.0)
            return d_inputs, d_kernel, du, *others

        return (h,), gradient

    return custom_gradient(run)(inputs, kernel, recurrent_kernel, bias, h0)[0]


def _forward(inputs, kernel, recurrent_kernel, bias, h0, options):
    act, _ = ACTIVATIONS[options.activation]
    z = products.in_bulk(inputs, kernel, h0.dtype, options.compute_dtype)

    def step(state, stream):
        (h,), (z, hold) = state, stream
        h = mix(h, act(z + recurrent_kernel * h + bias), hold, 0.0)
        return (h,), (h,)

    one = (ops.shape(h0), h0.dtype)
    return time_scan(step, (h0,), (z, options.hold), (one,), options.reverse)[1][0]


def _adjoint(dh_steps, h, inputs, kernel, recurrent_kernel, h0, options):
    _, slope = ACTIVATIONS[options.activation]

    def step(state, stream):
        dh, dz_next, du, db = state
        dy, h, hold = stream
        # This output is what the step after it multiplied with the weights.
        du, db = du + dz_next * h, db + dz_next
        # Where the state was held, its slope is taken of another step's output, but
        # the gradient it is multiplied with is zero.
        d_new, d_old = unmix(dh + dy, hold, 0.0)
        dz = slope(d_new, h)
        return (d_old + dz * recurrent_kernel, dz, du, db), (dz,)

    zeros = ops.zeros_like(h0)
    (dh0, dz_first, du, db), (dz,) = time_scan(
        step,
        (zeros, zeros, zeros, zeros),
        (dh_steps, h, options.hold),
        ((ops.shape(h0), h0.dtype),),
        not options.reverse,
    )
    du, db = du + dz_first * h0, db + dz_first
    d_inputs = products.input_gradient(kernel, dz, options.compute_dtype)
    d_kernel = products.kernel_gradient(inputs, dz, options.compute_dtype)
    return d_inputs, d_kernel, ops.sum(du, 0), ops.sum(db, 0), dh0
