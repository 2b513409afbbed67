"""A loop over time that makes the gradients of its matrices after the loop."""

from typing import NamedTuple

import keras
from keras import ops

from zoo.ops.attention import Products, product
from zoo.ops.pull_back import pull_back
from zoo.ops.scan import custom_gradient, time_scan


class _Given(NamedTuple):
    """What has a gradient, in the order of the arguments of the gradient."""

    matrices: dict
    vectors: dict
    state: tuple
    inputs: tuple

    def flatten(self):
        inputs = [x for x in self.inputs if _is_float(x)]
        return [*self.matrices.values(), *self.vectors.values(), *self.state, *inputs]

    def replace(self, values):
        """The same with other tensors, of the order of `flatten`."""
        values = iter(values)
        return _Given(
            dict(zip(self.matrices, values, strict=False)),
            dict(zip(self.vectors, values, strict=False)),
            tuple(next(values) for _ in self.state),
            tuple(next(values) if _is_float(x) else x for x in self.inputs),
        )


def bulk_scan(
    step,
    matrices,
    vectors,
    state,
    inputs,
    outputs,
    reverse=False,
    compute_dtype=None,
):
    """Runs `step` along the leading (time) axis, with gradients.

    As `zoo.ops.checkpointed_scan`, it keeps the states before each step alone, and
    differentiates the steps one by one in a reversed loop. But what a step multiplies
    by `multiply` gets the gradients of its matrices after the loop, in one product
    for all steps: the sums of many small products are the slower part otherwise.

    Args:
        step: Function `(multiply, vectors, state, inputs) -> (state, outputs)` for
            one step. `multiply(name, x, transpose=False)` is the product of `x`,
            `(batch, in)`, with one of the matrices; a step uses each of them once at
            most. It may run more than once, so it must not draw random numbers.
        matrices: Dictionary of tensors `(in, out)`, or `(batch, in, out)`, a matrix
            for each row.
        vectors: Dictionary of all other tensors that have a gradient and are the
            same for all steps; theirs are summed up step by step.
        state: Tuple of floating-point tensors, carried from step to step.
        inputs: Tuple of tensors `(time, ...)` or `None`; those of integers and
            booleans get no gradient. At least one is a tensor.
        outputs: Tuple of `(shape, dtype)` of each output of one step.
        reverse: Whether to run from the last step to the first. Outputs keep the
            time order of the inputs either way.
        compute_dtype: dtype of the products, `None` for that of the factors.

    Returns:
        The final state, and a tuple of outputs `(time, ...)`.
    """
    given = _Given(dict(matrices), dict(vectors), tuple(state), tuple(inputs))
    outputs, size = tuple(outputs), len(state)
    if keras.backend.backend() == "torch":
        # Its loops run at once, and its autograd goes through them.
        multiply = Products(given.matrices, compute_dtype)
        return time_scan(
            lambda state, now: step(multiply, given.vectors, state, now),
            *given[2:],
            outputs,
            reverse,
        )

    def run(*values):
        now_given = given.replace(values)
        transposed = {}

        def multiply(name, x, transpose=False):
            if name in transposed:
                raise ValueError(f"A step uses {name!r} twice.")
            transposed[name] = transpose
            return product(x, now_given.matrices[name], transpose, compute_dtype)

        def saving(state, now):
            transposed.clear()
            new, emitted = step(multiply, now_given.vectors, state, now)
            return tuple(new), (*emitted, *state)

        kept = tuple((ops.shape(s), s.dtype) for s in state)
        last, emitted = time_scan(
            saving, now_given.state, now_given.inputs, (*outputs, *kept), reverse
        )
        shown, before = emitted[: len(outputs)], emitted[len(outputs) :]

        def gradient(upstream):
            taps = _Taps(now_given.matrices, dict(transposed), compute_dtype)
            cotangents = upstream[:size], upstream[size:]
            return _adjoint(step, now_given, before, taps, *cotangents, not reverse)

        return (*last, *shown), gradient

    results = custom_gradient(run)(*given.flatten())
    return tuple(results[:size]), tuple(results[size:])


class _Taps:
    """Zeros that are added to products, to catch the products' gradients."""

    def __init__(self, matrices, transposed, compute_dtype):
        self.matrices, self.transposed = matrices, transposed
        self.compute_dtype = compute_dtype

    def size(self, name, of_input):
        """Length of what a matrix takes, or of what it makes."""
        last = of_input is self.transposed[name]
        return ops.shape(self.matrices[name])[-1 if last else -2]

    def zeros(self, batch, dtype):
        return [ops.zeros((batch, self.size(n, False)), dtype) for n in self.transposed]

    def products(self, zeros, seen):
        """`multiply` with zeros added, that puts down what it multiplied."""
        zeros = dict(zip(self.transposed, zeros, strict=True))

        def multiply(name, x, transpose=False):
            seen[name] = x
            matrix = self.matrices[name]
            return product(x, matrix, transpose, self.compute_dtype) + zeros[name]

        return multiply

    def specs(self, batch, dtype):
        return [
            ((batch, self.size(name, of_input)), dtype)
            for of_input in (True, False)
            for name in self.transposed
        ]

    def gradients(self, emitted):
        """Gradients of all matrices, from `x` and those of `y` in `x @ M = y`."""
        count = len(self.transposed)
        found = {name: ops.zeros_like(m) for name, m in self.matrices.items()}
        pairs = zip(emitted[:count], emitted[count:], strict=True)
        for (name, transpose), (x, dy) in zip(
            self.transposed.items(), pairs, strict=True
        ):
            matrix = self.matrices[name]
            if transpose:
                x, dy = dy, x
            if self.compute_dtype is not None:
                x, dy = (
                    ops.cast(x, self.compute_dtype),
                    ops.cast(dy, self.compute_dtype),
                )
            if len(matrix.shape) == 3:
                total = ops.transpose(x, (1, 2, 0)) @ ops.transpose(dy, (1, 0, 2))
            else:
                x = ops.reshape(x, (-1, matrix.shape[0]))
                total = ops.transpose(x) @ ops.reshape(dy, (-1, matrix.shape[1]))
            found[name] = ops.cast(total, matrix.dtype)
        return list(found.values())


def _adjoint(step, given, before, taps, d_state, d_outputs, reverse):
    """Gradients of all that has one, by a loop over the steps."""
    size, steps = len(before), len(given.inputs)
    batch, dtype = ops.shape(given.state[0])[0], given.state[0].dtype
    count = len(given.vectors)

    def back(carry, stream):
        now, old = stream[:steps], stream[steps : steps + size]
        here = _Given({}, given.vectors, old, now)
        zeros = taps.zeros(batch, dtype)

        def one_step(*values):
            mine, seen = here.replace(values[len(zeros) :]), {}
            multiply = taps.products(values[: len(zeros)], seen)
            new, emitted = step(multiply, mine.vectors, mine.state, mine.inputs)
            return (*new, *emitted), tuple(seen[name] for name in taps.transposed)

        values = [*zeros, *here.flatten()]
        cotangents = (*carry[:size], *stream[steps + size :])
        found, seen = pull_back(one_step, values, cotangents)
        dy, found = found[: len(zeros)], found[len(zeros) :]
        sums = [a + b for a, b in zip(carry[size:], found[:count], strict=True)]
        found = found[count:]
        return (*found[:size], *sums), (*found[size:], *seen, *dy)

    nothing = [ops.zeros_like(v) for v in given.vectors.values()]
    floats = [x for x in given.inputs if _is_float(x)]
    carry, emitted = time_scan(
        back,
        (*d_state, *nothing),
        (*given.inputs, *before, *d_outputs),
        (*((ops.shape(x)[1:], x.dtype) for x in floats), *taps.specs(batch, dtype)),
        reverse,
    )
    d_inputs, tapped = emitted[: len(floats)], emitted[len(floats) :]
    return (*taps.gradients(tapped), *carry[size:], *carry[:size], *d_inputs)


def _is_float(x):
    return x is not None and keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(x.dtype)
    )
