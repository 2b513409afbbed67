"""A loop over time for steps whose adjoint nobody wants to write by hand."""

import keras
from keras import ops

from zoo.ops.pull_back import pull_back
from zoo.ops.scan import custom_gradient, time_scan


def checkpointed_scan(step, weights, state, inputs, outputs, reverse=False):
    """Runs `step` along the leading (time) axis, with gradients.

    Of each step only the states before it are kept. The gradient is a second loop in
    the other direction, which runs each step again and differentiates it there, one
    step at a time, so that no automatic differentiation meets a loop: XLA compiles
    it, on TensorFlow too, with unknown numbers of rows and of steps. On torch, whose
    loops run at once, autograd goes through the loop itself.

    Whatever has a gradient must come as an argument, not out of a closure. The
    gradients of `weights` are summed up step by step; what can be multiplied for all
    steps at once, such as a projection of the inputs, is faster outside.

    Args:
        step: Function `(weights, state, inputs) -> (state, outputs)` for one step,
            all of them tuples of tensors. It may run more than once, so it must not
            draw random numbers.
        weights: Tuple of tensors, the same for all steps: weights, or a memory that
            is attended to.
        state: Tuple of floating-point tensors, carried from step to step. A step
            keeps their shapes and dtypes.
        inputs: Tuple of tensors `(time, ...)` or `None`; `step` gets the slice of
            each at its time, `None` for `None`. At least one is a tensor.
        outputs: Tuple of `(shape, dtype)`, the shape and floating-point dtype of each
            output of one step. Entries of a shape may be scalar tensors.
        reverse: Whether to run from the last step to the first. Outputs keep the
            time order of the inputs either way.

    `weights` and `inputs` may have tensors of integers or booleans among them, such
    as masks; these get no gradient.

    Returns:
        The final state, and a tuple of outputs `(time, ...)`.
    """
    given = (tuple(weights), tuple(state), tuple(inputs))
    outputs, size = tuple(outputs), len(state)
    if keras.backend.backend() == "torch":
        return time_scan(
            lambda state, now: step(given[0], state, now), *given[1:], outputs, reverse
        )
    smooth = [[i for i, x in enumerate(group) if _is_float(x)] for group in given]

    def run(*values):
        weights, state, inputs = _insert(given, smooth, _split(values, smooth))

        def saving(state, now):
            new, emitted = step(weights, state, now)
            return tuple(new), (*emitted, *state)

        kept = tuple((ops.shape(s), s.dtype) for s in state)
        last, emitted = time_scan(saving, state, inputs, (*outputs, *kept), reverse)
        shown, before = emitted[: len(outputs)], emitted[len(outputs) :]

        def gradient(upstream):
            args = (weights, before, inputs), upstream[:size], upstream[size:]
            return _adjoint(step, smooth, *args, not reverse)

        return (*last, *shown), gradient

    values = [group[i] for group, at in zip(given, smooth, strict=True) for i in at]
    results = custom_gradient(run)(*values)
    return tuple(results[:size]), tuple(results[size:])


def _adjoint(step, smooth, given, d_state, d_outputs, reverse):
    """Gradients of all floating-point tensors, by a loop over the steps."""
    weights, before, inputs = given
    size, steps = len(before), len(inputs)

    def back(carry, stream):
        now, old, d_shown = stream[:steps], stream[steps : steps + size], stream
        d_shown = d_shown[steps + size :]
        here = (weights, old, now)

        def one_step(*values):
            new, emitted = step(*_insert(here, smooth, _split(values, smooth)))
            return (*new, *emitted), ()

        values = [group[i] for group, at in zip(here, smooth, strict=True) for i in at]
        found, _ = pull_back(one_step, values, (*carry[:size], *d_shown))
        d_weights, d_old, d_now = _split(found, smooth)
        sums = zip(carry[size:], d_weights, strict=True)
        return (*d_old, *(a + b for a, b in sums)), tuple(d_now)

    zeros = [ops.zeros_like(weights[i]) for i in smooth[0]]
    streams = [inputs[i] for i in smooth[2]]
    carry, d_inputs = time_scan(
        back,
        (*d_state, *zeros),
        (*inputs, *before, *d_outputs),
        tuple((ops.shape(x)[1:], x.dtype) for x in streams),
        reverse,
    )
    return (*carry[size:], *carry[:size], *d_inputs)


def _is_float(x):
    return x is not None and keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(x.dtype)
    )


def _split(values, places):
    """A flat sequence in groups of as many as there are places."""
    groups, start = [], 0
    for at in places:
        groups.append(values[start : start + len(at)])
        start += len(at)
    return groups


def _insert(groups, places, values):
    """Groups with other tensors at some places."""
    result = []
    for group, at, new in zip(groups, places, values, strict=True):
        group = list(group)
        for i, value in zip(at, new, strict=True):
            group[i] = value
        result.append(tuple(group))
    return result
