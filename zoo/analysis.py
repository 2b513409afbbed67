r"""Looking inside of a recurrent layer: gradients, Jacobians, chaos, gates.

Every function takes a layer of this package (one with `step` and `state_sizes`) and a
sequence, and runs the layer step by step as at inference. "The state" is the vector
of all of a layer's states, one after the other: for an LSTM, $[h; c]$. Results are
NumPy arrays, batch first, in the time order of the inputs, also where the layer runs
in reverse. Work in a `float64` layer where the last digits matter.

Each has a plot: a `matplotlib.figure.Figure`, which a notebook shows and `savefig`
keeps. matplotlib comes with `pip install 'recurrent-zoo[report]'`.

Example:

>>> import numpy as np
>>> from zoo.layers import ZoneoutLSTM
>>> layer, x = ZoneoutLSTM(4), np.zeros((2, 10, 3), "float32")
>>> gradient_norms(layer, x).shape, lyapunov_exponents(layer, x).shape
((2, 10), (2, 8))
>>> sorted(gates(layer, x)), gates(layer, x)["forget"].shape
(['candidate', 'cell', 'forget', 'hidden', 'input', 'output'], (2, 10, 4))
"""

import importlib

import keras
import numpy as np
from keras import ops

from zoo.lazy import Lazy, jax, tf

torch = Lazy("torch", "pip install torch")


def gradient_norms(
    layer, inputs, loss=None, *, wrt="state", mask=None, initial_state=None
):
    r"""How much of the loss' gradient arrives at each step.

    $$\text{norms}_t = \lVert \partial L / \partial s_t \rVert_2$$

    with $s_t$ the state that enters step $t$, so that $s_0$ is the initial state. A
    linear scalar recurrence $h_t = u h_{t-1} + x_t$ has norms $|u|^{T-t}$ for the
    loss $h_T$.

    Args:
        layer: A recurrent layer.
        inputs: `(batch, time, features)`.
        loss: Function of the outputs of all steps `(batch, time, units)`, a tensor,
            that returns a scalar and is written with `keras.ops`. Default: the sum of
            the output after the last step.
        wrt: `"state"`, or `"inputs"` for norms of $\partial L / \partial x_t$.
        mask: Boolean `(batch, time)`; masked steps hold the state and its gradient.
        initial_state: List of states; `None` for zeros.

    Returns:
        `(batch, time)`.
    """
    if wrt not in ("state", "inputs"):
        raise ValueError(f"`wrt` must be 'state' or 'inputs'. Received: {wrt!r}")
    walk = _Walk(layer, inputs, mask, initial_state)
    entering, outputs = walk.forward()
    if loss is None:
        last = 0 if walk.reverse else -1
        upstream = np.zeros_like(outputs)
        upstream[:, last] = 1
    else:
        upstream = _gradient(loss, outputs)
    norms = np.zeros(outputs.shape[:2])
    d_state = np.zeros_like(entering[:, 0])
    d_output = np.zeros_like(outputs[:, 0])
    for t in reversed(walk.order):
        # A masked step shows the output before it, and so hands on its gradient too.
        d_output = d_output + upstream[:, t]
        valid = walk.mask[:, t, None]
        _, _, d_x, before = walk.pull(
            walk.inputs[:, t], entering[:, t], d_output, d_state
        )
        d_state = np.where(valid, before, d_state)
        d_output = np.where(valid, 0, d_output)
        shown = d_state if wrt == "state" else np.where(valid, d_x, 0)
        norms[:, t] = np.linalg.norm(shown, axis=-1)
    return norms


def step_jacobians(layer, inputs, *, mask=None, initial_state=None):
    r"""Jacobians of the state update along a sequence.

    Args:
        layer, inputs, mask, initial_state: As for `gradient_norms`.

    Returns:
        `(batch, time, size, size)` with `size` the sum of the layer's `state_sizes`:
        entry `[b, t, i, j]` is $\partial s_{t+1, i} / \partial s_{t, j}$. The
        identity at masked steps.
    """
    walk = _Walk(layer, inputs, mask, initial_state)
    found = dict(zip(walk.order, walk.jacobians(), strict=True))
    return np.stack([found[t] for t in sorted(found)], 1)


def jacobian_spectrum(layer, inputs, *, mask=None, initial_state=None):
    """Eigenvalues of each step's Jacobian, by falling modulus.

    Inside of the unit circle a step forgets, outside it amplifies.

    Args:
        layer, inputs, mask, initial_state: As for `gradient_norms`.

    Returns:
        Complex `(batch, time, size)`.
    """
    found = np.linalg.eigvals(
        step_jacobians(layer, inputs, mask=mask, initial_state=initial_state)
    )
    order = np.argsort(-np.abs(found), -1, kind="stable")
    return np.take_along_axis(found.astype(complex), order, -1)


def lyapunov_exponents(
    layer, inputs, count=None, *, skip=0, mask=None, initial_state=None
):
    r"""Mean growth rates of small disturbances of the state along a sequence.

    $$\lambda_i = \frac{1}{T} \sum_t \ln |R^{(t)}_{ii}|,
      \qquad Q_t R^{(t)} = J_t Q_{t-1}$$

    The QR method of Benettin et al.: an orthonormal frame is carried through the
    Jacobians $J_t$ of the steps and made orthonormal again after each. Negative
    exponents forget, positive ones are chaos, and a training signal that must last
    wants them near zero. For a linear recurrence they are the logarithms of the
    moduli of its eigenvalues.

    Args:
        layer, inputs, mask, initial_state: As for `gradient_norms`.
        count: How many exponents, the largest first; default all.
        skip: Valid steps at the start that turn the frame but are not counted.

    Returns:
        `(batch, count)`, falling; `-inf` for directions that a step wipes out, and
        for rows without a counted step `nan`.

    References:
        - Benettin et al., [Lyapunov characteristic exponents for smooth dynamical
          systems](https://doi.org/10.1007/BF02128236), 1980
        - Engelken, Wolf and Abbott, [Lyapunov spectra of chaotic recurrent neural
          networks](https://arxiv.org/abs/2006.02427), 2020
    """
    walk = _Walk(layer, inputs, mask, initial_state)
    count = walk.size if count is None else count
    if not 1 <= count <= walk.size:
        raise ValueError(
            f"`count` must be 1 ... {walk.size}, the size of the state of "
            f"'{layer.name}'. Received: {count!r}"
        )
    if not 0 <= skip < len(walk.order):
        raise ValueError(
            f"`skip` must leave some of the {len(walk.order)} steps. Received: {skip!r}"
        )
    batch = len(walk.inputs)
    # Not the axes: a diagonal Jacobian would never turn them to the largest growth.
    start = np.random.default_rng(0).normal(size=(walk.size, count))
    frame = np.repeat(np.linalg.qr(start)[0][None], batch, 0)
    logs, steps = np.zeros((batch, count)), np.zeros((batch, 1))
    for t, jacobian in zip(walk.order, walk.jacobians(), strict=True):
        turned, r = np.linalg.qr(jacobian.astype("float64") @ frame)
        valid = walk.mask[:, t]
        frame = np.where(valid[:, None, None], turned, frame)
        steps += valid[:, None]
        growth = np.abs(np.diagonal(r, axis1=1, axis2=2))
        with np.errstate(divide="ignore"):
            logs += np.where(valid[:, None] & (steps > skip), np.log(growth), 0)
    with np.errstate(invalid="ignore"):
        counted = np.where(steps > skip, steps - skip, np.nan)
        return -np.sort(-logs / counted, -1)


def gates(layer, inputs, *, mask=None, initial_state=None):
    """Gates and states of an LSTM or GRU, computed again from its weights.

    Args:
        layer: `ZoneoutLSTM` or `GRU`.
        inputs, mask, initial_state: As for `gradient_norms`.

    Returns:
        Dict of arrays `(batch, time, units)`. LSTM: `input`, `forget`, `candidate`
        and `output`; `hidden` and `cell` after each step. GRU: `update`, `reset`,
        `candidate` and `hidden`. Masked steps show what their gates would have been
        on an input of zeros, and the held states.
    """
    kinds = [c.__name__ for c in type(layer).__mro__ if c.__name__ in _GATES]
    if not kinds:
        raise ValueError(
            f"Layer '{layer.name}' ({type(layer).__name__}) has no gates that are "
            f"known here. Layers that have: {', '.join(_GATES)}"
        )
    walk = _Walk(layer, inputs, mask, initial_state)
    entering, _ = walk.forward()
    weights = {w.name: ops.convert_to_numpy(w) for w in layer.weights}
    weights = {name: w.astype(entering.dtype) for name, w in weights.items()}
    found = _GATES[kinds[0]](layer, weights, walk.inputs, walk.split(entering))
    after = walk.split(walk.after)
    found.update(zip(("hidden", "cell"), after, strict=False))
    return found


def _lstm_gates(layer, weights, x, states):
    h, c = states
    z, u = x @ weights["kernel"], h @ weights["recurrent_kernel"]
    if layer.layer_norm:
        z = _normal(z) * weights["input_gain"]
        u = _normal(u) * weights["recurrent_gain"]
    i, f, g, o = np.split(z + u + weights.get("bias", 0), 4, -1)
    see = np.split(weights.get("peephole_kernel", np.zeros(3)), 3)
    i, f, g = _sigmoid(i + see[0] * c), _sigmoid(f + see[1] * c), np.tanh(g)
    o = _sigmoid(o + see[2] * (f * c + i * g))
    return {"input": i, "forget": f, "candidate": g, "output": o}


def _gru_gates(layer, weights, x, states):
    (h,) = states
    n = 2 * layer.units
    bias = weights.get("bias", np.zeros(3 * layer.units))
    bias, inner = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    recurrent = weights["recurrent_kernel"]
    z = x @ weights["kernel"] + bias
    update, reset = np.split(
        _sigmoid(z[..., :n] + h @ recurrent[:, :n] + inner[:n]), 2, -1
    )
    if layer.reset_after:
        seen = reset * (h @ recurrent[:, n:] + inner[n:])
    else:
        seen = (reset * h) @ recurrent[:, n:]
    return {"update": update, "reset": reset, "candidate": np.tanh(z[..., n:] + seen)}


_GATES = {"ZoneoutLSTM": _lstm_gates, "GRU": _gru_gates}


def weightings(layer, inputs, *, mask=None, initial_state=None):
    """Where the heads of a Neural Turing Machine look at each step.

    Args:
        layer: `NTM`, or a layer with a method `weightings` like its.
        inputs, mask, initial_state: As for `gradient_norms`.

    Returns:
        Dict of arrays `(batch, time, slots)`: `read 1`, ..., `write 1`, ...
    """
    if not hasattr(layer, "weightings"):
        raise ValueError(
            f"Layer '{layer.name}' ({type(layer).__name__}) has no memory to look "
            f"into. NTM has."
        )
    found = layer.weightings(inputs, mask=mask, initial_state=initial_state)
    named = {}
    for kind, heads in zip(("read", "write"), found, strict=True):
        heads = np.moveaxis(ops.convert_to_numpy(heads), 2, 0)
        named.update({f"{kind} {k}": head for k, head in enumerate(heads, 1)})
    return named


def _sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


def _normal(x, epsilon=1e-5):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon)


class _Walk:
    """A layer's way along a sequence, step by step, with gradients of each step."""

    def __init__(self, layer, inputs, mask, initial_state):
        if not hasattr(layer, "step") or not hasattr(layer, "state_sizes"):
            raise ValueError(
                f"{type(layer).__name__} has no `step`: what is looked into must be a "
                f"recurrent layer of zoo.layers."
            )
        dtype = layer.state_dtype
        inputs = np.array(ops.convert_to_numpy(inputs), dtype)
        if inputs.ndim != 3:
            raise ValueError(
                f"Inputs must be (batch, time, features). Received: {inputs.shape}"
            )
        if not layer.built:
            layer.build(inputs.shape)
        batch, time = inputs.shape[:2]
        self.mask = np.ones((batch, time), bool)
        if mask is not None:
            self.mask = np.array(ops.convert_to_numpy(mask)).astype(bool)
        if self.mask.shape != (batch, time):
            raise ValueError(
                f"The mask must be (batch, time) = {(batch, time)}. "
                f"Received: {self.mask.shape}"
            )
        self.inputs = np.where(self.mask[..., None], inputs, 0)
        self.sizes, self.size = layer.state_sizes, sum(layer.state_sizes)
        self.reverse = getattr(layer, "reverse", False)
        self.order = range(time)[::-1] if self.reverse else range(time)
        if initial_state is None:
            initial_state = layer.get_initial_state(batch)
        start = [ops.convert_to_numpy(s) for s in initial_state]
        self.start = np.concatenate(start, -1).astype(dtype)
        self.output_size = layer.output_size
        self.pull = _pullback(layer, self.split, dtype)

    def split(self, state):
        """The layer's states from vectors of all of them."""
        edges = np.cumsum((0, *self.sizes))
        return [state[..., a:b] for a, b in zip(edges, edges[1:], strict=False)]

    def forward(self):
        """States that enter each step, and outputs: `(batch, time, ...)` both.

        The states after each step are in `after`.
        """
        batch, time = self.mask.shape
        entering = np.zeros((batch, time, self.size), self.start.dtype)
        self.after = np.zeros_like(entering)
        outputs = np.zeros((batch, time, self.output_size), self.start.dtype)
        state, shown = self.start, outputs[:, 0]
        none = np.zeros_like(shown), np.zeros_like(state)
        for t in self.order:
            entering[:, t] = state
            output, new, _, _ = self.pull(self.inputs[:, t], state, *none)
            valid = self.mask[:, t, None]
            state, shown = np.where(valid, new, state), np.where(valid, output, shown)
            self.after[:, t], outputs[:, t] = state, shown
        return entering, outputs

    def jacobians(self):
        """Jacobian `(batch, size, size)` of each step, in the order of running.

        Rows of a batch do not mix: a batch in which every row is repeated, each with
        another unit vector for gradient, has all rows of the Jacobian in one step.
        """
        n, batch = self.size, len(self.inputs)
        unit = np.tile(np.eye(n, dtype=self.start.dtype), (batch, 1))
        none = np.zeros((batch * n, self.output_size), self.start.dtype)
        state = self.start
        for t in self.order:
            x, s = np.repeat(self.inputs[:, t], n, 0), np.repeat(state, n, 0)
            _, new, _, rows = self.pull(x, s, none, unit)
            valid = self.mask[:, t, None]
            state = np.where(valid, new[::n], state)
            yield np.where(valid[..., None], rows.reshape(batch, n, n), np.eye(n))


def _pullback(layer, split, dtype):
    """Function of numbers: of a step's input, state, and the gradients of its output
    and new state, to output, new state, and the gradients of input and state."""

    def step(x, state):
        output, new = layer.step(x, split(state), training=False)
        return ops.cast(output, dtype), ops.concatenate(new, -1)

    pull = {
        "tensorflow": _tensorflow_pullback,
        "jax": _jax_pullback,
        "torch": _torch_pullback,
    }[keras.backend.backend()](step)

    def numbers(*values):
        found = pull(*(ops.convert_to_tensor(v, dtype) for v in values))
        return [ops.convert_to_numpy(v) for v in found]

    return numbers


def _tensorflow_pullback(step):
    @tf.function(autograph=False)
    def pull(x, state, d_output, d_state):
        with tf.GradientTape() as tape:
            tape.watch((x, state))
            results = step(x, state)
        gradients = tape.gradient(
            results,
            (x, state),
            output_gradients=(d_output, d_state),
            unconnected_gradients="zero",
        )
        return *results, *gradients

    return pull


def _jax_pullback(step):
    @jax.jit
    def pull(x, state, d_output, d_state):
        results, back = jax.vjp(step, x, state)
        return *results, *back((d_output, d_state))

    return pull


def _torch_pullback(step):
    def pull(x, state, d_output, d_state):
        x, state = x.detach().requires_grad_(), state.detach().requires_grad_()
        results = step(x, state)
        gradients = torch.autograd.grad(
            results,
            (x, state),
            (d_output, d_state),
            allow_unused=True,
            materialize_grads=True,
        )
        return *(r.detach() for r in results), *gradients

    return pull


def _gradient(loss, outputs):
    """Gradient of a scalar function of all outputs."""
    outputs = ops.convert_to_tensor(outputs)
    backend = keras.backend.backend()
    if backend == "jax":
        found = jax.grad(loss)(outputs)
    elif backend == "tensorflow":
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            value = loss(outputs)
        found = tape.gradient(value, outputs)
    else:
        outputs.requires_grad_()
        (found,) = torch.autograd.grad(loss(outputs), outputs)
    return ops.convert_to_numpy(found)


def plot_gradient_norms(norms, labels=None):
    """Draws `gradient_norms` over time: the median of the rows, and their range.

    Args:
        norms: `(batch, time)`, or a list of them to compare.
        labels: A name for each.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    norms = [norms] if np.ndim(norms[0]) == 1 else list(norms)
    labels = labels or [None] * len(norms)
    figure, (axis,) = _figure(1)
    for values, label in zip(norms, labels, strict=True):
        steps = np.arange(np.shape(values)[1])
        axis.fill_between(steps, np.min(values, 0), np.max(values, 0), alpha=0.2)
        axis.plot(steps, np.median(values, 0), label=label)
    axis.set(
        yscale="log",
        xlabel="step",
        ylabel="norm of the gradient",
        title="What arrives of the loss' gradient",
    )
    if any(labels):
        axis.legend()
    return figure


def plot_spectrum(eigenvalues, row=0):
    """Draws `jacobian_spectrum` of one row: in the plane, and moduli over time.

    Args:
        eigenvalues: `(batch, time, size)`.
        row: Which row of the batch.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    values = np.asarray(eigenvalues)[row]
    steps = np.repeat(np.arange(len(values)), values.shape[1])
    figure, (plane, moduli) = _figure(2)
    angle = np.linspace(0, 2 * np.pi, 200)
    plane.plot(np.cos(angle), np.sin(angle), color="black", linewidth=0.8)
    points = plane.scatter(
        values.real.ravel(), values.imag.ravel(), c=steps, s=6, alpha=0.6
    )
    figure.colorbar(points, ax=plane, label="step")
    plane.set(
        aspect="equal",
        xlabel="real part",
        ylabel="imaginary part",
        title="Eigenvalues of the steps' Jacobians",
    )
    moduli.plot(np.abs(values), color="tab:blue", linewidth=0.8, alpha=0.6)
    moduli.axhline(1, color="black", linewidth=0.8)
    moduli.set(xlabel="step", ylabel="modulus", title="Above 1 a step amplifies")
    return figure


def plot_lyapunov(exponents, labels=None):
    """Draws `lyapunov_exponents`: the mean of the rows, and their range.

    Exponents of `-inf` have no place there; the legend counts those that all rows have.

    Args:
        exponents: `(batch, count)`, or a list of them to compare.
        labels: A name for each.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    exponents = [exponents] if np.ndim(exponents[0]) == 1 else list(exponents)
    labels = labels or [None] * len(exponents)
    figure, (axis,) = _figure(1)
    for values, label in zip(exponents, labels, strict=True):
        if gone := int(np.isneginf(values).all(0).sum()):
            label = f"{label or 'exponents'} ({gone} more at −∞)"
        values = np.ma.masked_invalid(values)
        index = np.arange(1, values.shape[1] + 1)
        axis.fill_between(index, values.min(0), values.max(0), alpha=0.2)
        axis.plot(index, values.mean(0), ".-", label=label)
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(
        xlabel="index",
        ylabel="exponent, per step",
        title="Lyapunov exponents: above 0 is chaos",
    )
    if axis.get_legend_handles_labels()[0]:
        axis.legend()
    return figure


def plot_heat_map(values, title="", ylabel="unit", limits=None):
    """Draws one value per step and unit, of whatever kind.

    Args:
        values: `(time, units)`, for example `gates(layer, x)["forget"][0]`.
        title, ylabel: Words for the plot.
        limits: Pair of the values at the ends of the colours; default from `values`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = _figure(1)
    _heat_map(figure, axis, values, title, ylabel, limits)
    return figure


def plot_gates(found, row=0):
    """Draws what `gates` or `weightings` returned: heat maps beside each other.

    Args:
        found: The dict.
        row: Which row of the batch.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _figure(len(found), width=4)
    for axis, (name, values) in zip(axes, found.items(), strict=True):
        signed = name in ("candidate", "hidden", "cell")
        unit = "slot" if name.startswith(("read", "write")) else "unit"
        limits = None if signed else (0, 1)
        _heat_map(figure, axis, values[row], name, unit, limits)
    return figure


def _heat_map(figure, axis, values, title, ylabel, limits):
    values = np.asarray(values, "float64")
    if limits is None and values.min() < 0:  # zero in the middle of the colours
        limits = (-np.abs(values).max(), np.abs(values).max())
    low, high = limits or (None, None)
    image = axis.imshow(
        values.T,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        cmap="RdBu_r" if low is not None and low < 0 else "viridis",
        vmin=low,
        vmax=high,
    )
    axis.set(xlabel="step", ylabel=ylabel, title=title)
    figure.colorbar(image, ax=axis)


def _figure(count, width=5.5):
    try:
        module = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ImportError(
            "A plot needs matplotlib: pip install 'recurrent-zoo[report]'"
        ) from error
    figure = module.Figure(figsize=(width * count, 4), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])
