"""The simple recurrent network with zoneout and masks, with its adjoint by hand.

As in `zoo.ops.lstm`, inputs are multiplied before the loop, and gradients of weights
and inputs are products over all steps after it.
"""

from typing import Any, NamedTuple

from keras import ops

from zoo.ops import products
from zoo.ops.activation import ACTIVATIONS
from zoo.ops.scan import custom_gradient, time_scan
from zoo.ops.zoneout import mix, unmix


class Options(NamedTuple):
    """What `simple_rnn` needs beyond tensors that have a gradient."""

    activation: str
    hold: Any
    rate: float
    dropped: Any
    reverse: bool
    compute_dtype: str | None

    @property
    def mixes(self):
        """Whether a state may differ from what was computed at its step."""
        return self.hold is not None or self.rate > 0

    def fed(self, h):
        """The state as it enters the recurrent product."""
        return h if self.dropped is None else h * self.dropped


def simple_rnn(
    inputs,
    kernel,
    bias,
    h0,
    *,
    activation="tanh",
    hold=None,
    rate=0.0,
    recurrent_mask=None,
    reverse=False,
    compute_dtype=None,
):
    """Runs a simple recurrent network, time first.

    For each step, where `m` is the mask of recurrent dropout:

        h[t] = the mixture of h[t-1] with activation([x_t; m * h[t-1]] K + b)

    The mixture is zoneout's, as in `zoo.ops.lstm`.

    Args:
        inputs: `(time, batch, features)`.
        kernel: `(features + units, units)`: rows of the inputs, then of the state.
        bias: `(units,)`.
        h0: Initial state, `(batch, units)`.
        activation: `"tanh"`, `"relu"` or `"linear"`.
        hold: Boolean `(time, batch, units)` or `(time, batch, 1)`, true where the
            state keeps its old value. `None` holds nothing.
        rate: Number in [0, 1], the part of the old value that is mixed in where it is
            not held.
        recurrent_mask: `(batch, units)`, multiplied with the state on its way into
            the recurrent product. It gets no gradient.
        reverse: Whether to run backwards in time.
        compute_dtype: dtype of the products; states and sums keep that of `h0`.

    Returns:
        States for all steps, `(time, batch, units)`.
    """
    options = Options(
        activation, hold, float(rate), recurrent_mask, reverse, compute_dtype
    )

    def run(inputs, kernel, bias, h0):
        h, new = _forward(inputs, kernel, bias, h0, options)

        def gradient(upstream):
            return _adjoint(upstream[0], h, new, inputs, kernel, h0, options)

        return (h,), gradient

    return custom_gradient(run)(inputs, kernel, bias, h0)[0]


def _forward(inputs, kernel, bias, h0, options):
    dtype, compute_dtype = h0.dtype, options.compute_dtype
    features = inputs.shape[2]
    act, _ = ACTIVATIONS[options.activation]
    z = products.in_bulk(inputs, kernel[:features], dtype, compute_dtype) + bias
    product = products.product(kernel[features:], dtype, compute_dtype)

    def step(state, stream):
        (h,), (z, hold) = state, stream
        new = act(z + product(options.fed(h)))
        mixed = mix(h, new, hold, options.rate)
        return (mixed,), (mixed, new) if options.mixes else (mixed,)

    one = (ops.shape(h0), dtype)
    _, (h, *new) = time_scan(
        step,
        (h0,),
        (z, options.hold),
        (one, one) if options.mixes else (one,),
        options.reverse,
        reuse=0,
    )
    return h, new[0] if options.mixes else h


def _adjoint(dh_steps, h, new, inputs, kernel, h0, options):
    features, compute_dtype = inputs.shape[2], options.compute_dtype
    _, slope = ACTIVATIONS[options.activation]
    back = ops.transpose(kernel[features:])
    product = products.product(back, h0.dtype, compute_dtype)

    def step(state, stream):
        (dh,), (dy, new, hold) = state, stream
        d_new, d_old = unmix(dh + dy, hold, options.rate)
        dz = slope(d_new, new)
        return (d_old + options.fed(product(dz)),), (dz,)

    (dh0,), (dz,) = time_scan(
        step,
        (ops.zeros_like(h0),),
        (dh_steps, new, options.hold),
        ((ops.shape(h0), h0.dtype),),
        not options.reverse,
    )
    fed = options.fed(products.before(h, h0, options.reverse))
    fed = ops.concatenate([inputs, fed], 2)
    return (
        products.input_gradient(kernel[:features], dz, compute_dtype),
        products.kernel_gradient(fed, dz, compute_dtype),
        products.bias_gradient(dz),
        dh0,
    )
