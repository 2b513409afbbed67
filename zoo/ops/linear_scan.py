"""Linear recurrences, step by step or all steps at once, with their adjoint by hand.

The adjoint of `h[t] = a[t] * h[t-1] + b[t]` is the same recurrence run backwards:
`g[t] = dh[t] + a[t+1] * g[t+1]`. Automatic differentiation of the loop would save
every intermediate of every step, and takes up to twenty times as long.
"""

from keras import ops

from zoo.ops.scan import custom_gradient, time_scan


def linear_scan(a, b, h0, *, mask=None, reset=None, reverse=False, engine="loop"):
    r"""Solves $h_t = a_t \odot h_{t-1} + b_t$ for all steps, time first.

    Args:
        a, b: `(time, batch, units)`. They are cast to the dtype of `h0`, in which
            all is added up: float32 under half precision.
        h0: Initial state `(batch, units)`.
        mask: Boolean `(time, batch)` or `None`; a false step holds the state.
        reset: Boolean `(time, batch)` or `None`; a true step forgets the state before
            it, so that several sequences can follow each other in one row. At a step
            that `mask` leaves out, it does nothing.
        reverse: Whether to run from the last step to the first.
        engine: `"loop"`, a loop over the steps, or `"parallel"`, which halves their
            number until one is left: more work, in few large operations. It needs a
            number of steps that is known when the graph is made, and is the loop
            where it is not.

    Returns:
        The states of all steps `(time, batch, units)`, in the dtype of `h0`. The last
        one (with `reverse`, the first) is the final state.

    References:
        - Blelloch, [Prefix sums and their applications](
          https://www.cs.cmu.edu/~guyb/papers/Ble93.pdf), 1993
        - Martin and Cundy, [Parallelizing linear recurrent neural nets over sequence
          length](https://arxiv.org/abs/1709.04057), 2018
    """
    a, b = ops.cast(a, h0.dtype), ops.cast(b, h0.dtype)
    if reset is not None:
        a = ops.where(ops.expand_dims(reset, -1), 0, a)
    if mask is not None:
        valid = ops.expand_dims(mask, -1)
        a, b = ops.where(valid, a, 1), ops.where(valid, b, 0)

    def run(a, b, h0):
        h = _solve(a, b, h0, reverse, engine)

        def gradient(upstream):
            g, d_h0 = _adjoint(a, upstream[0], reverse, engine)
            return g * shift(h, h0, reverse), g, d_h0

        return (h,), gradient

    (h,) = custom_gradient(run)(a, b, h0)
    if mask is None or engine == "loop":
        return h
    # All steps at once, a held state would differ from the one it holds by rounding.
    return hold(h, mask, h0, reverse=reverse, engine=engine)


def hold(x, mask, first, *, reverse=False, engine="loop"):
    """Puts in place of masked steps what the last valid step before them has.

    Args:
        x: `(time, batch, units)`.
        mask: Boolean `(time, batch)`; `None` returns `x`.
        first: `(batch, units)`, what is held before the first valid step.
        reverse, engine: As of `linear_scan`.

    Returns:
        A tensor like `x`, in the dtype of `first`. Values are copied: they stay the
        same to the last bit.
    """
    x = ops.cast(x, first.dtype)
    if mask is None:
        return x
    valid = ops.expand_dims(mask, -1)
    kept = ops.cast(ops.logical_not(valid), first.dtype)

    def run(x, first):
        held = _solve(kept, ops.where(valid, x, 0), first, reverse, engine)

        def gradient(upstream):
            g, d_first = _adjoint(kept, upstream[0], reverse, engine)
            return ops.where(valid, g, 0), d_first

        return (held,), gradient

    return custom_gradient(run)(x, first)[0]


def shift(x, first, reverse=False):
    """Moves each step to where the next one was, and puts `first` in front."""
    first = ops.expand_dims(first, 0)
    if reverse:
        return ops.concatenate([x[1:], first], 0)
    return ops.concatenate([first, x[:-1]], 0)


def _solve(a, b, h0, reverse, engine):
    """States of all steps, forward only. The last axis of `a` may be 1."""
    if engine == "parallel" and a.shape[0] is not None:
        if reverse:
            return ops.flip(
                _solve(ops.flip(a, 0), ops.flip(b, 0), h0, False, engine), 0
            )
        start = ops.expand_dims(a[0] * h0 + b[0], 0)
        return _prefix(a, ops.concatenate([start, b[1:]], 0))

    def step(state, inputs):
        h = inputs[0] * state[0] + inputs[1]
        return (h,), (h,)

    spec = (ops.shape(h0), h0.dtype)
    return time_scan(step, (h0,), (a, b), (spec,), reverse, reuse=1)[1][0]


def _adjoint(a, dh, reverse, engine):
    """Gradients of all `b` and of `h0`, from those of all states."""
    if engine == "parallel" and a.shape[0] is not None:
        zeros = ops.zeros_like(dh[0])
        # A step's state goes into the next, with the next one's factor.
        following = shift(a, ops.zeros_like(a[0]), not reverse)
        g = _solve(following, dh, zeros, not reverse, engine)
        return g, (a[-1] * g[-1] if reverse else a[0] * g[0])

    def step(state, inputs):
        g = inputs[1] + state[0]
        return (inputs[0] * g,), (g,)

    spec = (ops.shape(dh)[1:], dh.dtype)
    start = (ops.zeros_like(dh[0]),)
    (d_h0,), (g,) = time_scan(step, start, (a, dh), (spec,), not reverse, reuse=1)
    return g, d_h0


def _prefix(a, b):
    """States of all steps from a state of zeros, by cyclic reduction.

    Two steps make one: `h[t+1] = a[t+1] a[t] h[t-1] + (a[t+1] b[t] + b[t+1])`. So the
    odd steps are a recurrence of half the length; from them come the even ones.
    """
    time = b.shape[0]
    if time == 1:
        return b
    pairs = time // 2
    second = a[1::2]
    odd = _prefix(
        second * a[0 : 2 * pairs : 2], second * b[0 : 2 * pairs : 2] + b[1::2]
    )
    even = ops.concatenate([b[:1], a[2::2] * odd[: (time - 1) // 2] + b[2::2]], 0)
    both = ops.stack([even[:pairs], odd], 1)
    both = ops.reshape(both, (2 * pairs, *ops.shape(b)[1:]))
    return both if time % 2 == 0 else ops.concatenate([both, even[pairs:]], 0)
