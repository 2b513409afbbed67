"""Equations of the linear recurrences in NumPy: one row, one step, float64."""

import numpy as np


def qrnn(
    weights,
    inputs,
    mask,
    state,
    *,
    window=2,
    pooling="fo",
    centred=False,
    zoneout=0.0,
    reverse=False,
    **training_only,
):
    """Bradbury et al. (2017) at inference, on the valid steps of each row alone.

    Args:
        weights: Dictionary from the weights' names to arrays; the kernel is
            `(window, features, gates * units)`.
        inputs, mask: `(batch, time, features)` and `(batch, time)`, or `None`.
        state: List `[h]` or `[h, c]`, and where the layer has it the last inputs.

    Returns:
        Outputs `(batch, time, units)`, the last of them, and the final states.
    """
    kernel = np.asarray(weights["kernel"], "float64")
    features = inputs.shape[-1]
    before = (window - 1) // 2 if centred else window - 1
    after = window - 1 - before

    def pool(x, start):
        h, c = start[0], start[0 if pooling == "f" else 1]
        past = np.zeros((before, features))
        if before and not centred:
            past = start[-1].reshape(before, features)
        around = np.concatenate([past, x, np.zeros((after, features))])
        shown = np.zeros((len(x), len(h)))
        for t in range(len(x)):
            u = sum(around[t + k] @ kernel[k] for k in range(window))
            z, f, *rest = np.split(u + weights.get("bias", 0), len(pooling) + 1)
            f = 1 - (1 - zoneout) * (1 - sigmoid(f))
            i = sigmoid(rest[1]) if pooling == "ifo" else 1 - f
            c = f * c + i * np.tanh(z)
            h = c if pooling == "f" else sigmoid(rest[0]) * c
            shown[t] = h
        end = [h] if pooling == "f" else [h, c]
        if before and not centred:
            end.append(np.concatenate([past, x])[-before:].ravel())
        return shown, end

    return valid_alone(pool, inputs, mask, state, reverse)


def min_gru(weights, inputs, mask, state, *, activation=None, reverse=False, **other):
    """Feng et al. (2024): the minimal GRU."""

    def gates(x):
        z, candidate = np.split(_affine(weights, x), 2, -1)
        z = sigmoid(z)
        return 1 - z, z * _activate(candidate, activation)

    return _gated(gates, inputs, mask, state, reverse)


def min_lstm(weights, inputs, mask, state, *, activation=None, reverse=False, **other):
    """Feng et al. (2024): the minimal LSTM, whose gates are scaled to a sum of 1."""

    def gates(x):
        f, i, candidate = np.split(_affine(weights, x), 3, -1)
        f, i = sigmoid(f), sigmoid(i)
        return f / (f + i), i / (f + i) * _activate(candidate, activation)

    return _gated(gates, inputs, mask, state, reverse)


def rglru(
    weights, inputs, mask, state, *, power=8.0, project=True, reverse=False, **other
):
    """De et al. (2024): the real-gated linear recurrent unit."""
    decay = sigmoid(np.asarray(weights["decay"], "float64"))

    def gates(x):
        x = _affine(weights, x) if project else x
        gates = x @ weights["gate_kernel"] + weights.get("gate_bias", 0)
        r, i = np.split(sigmoid(gates), 2, -1)
        a = decay ** (power * r)
        return a, np.sqrt(1 - a**2) * (i * x)

    return _gated(gates, inputs, mask, state, reverse)


def _gated(gates, inputs, mask, state, reverse):
    """The recurrence `h = a * h + b`, where `gates` makes a and b of an input."""

    def run(x, start):
        (h,), shown = start, np.zeros((len(x), len(start[0])))
        for t, (a, b) in enumerate(map(gates, x)):
            h = shown[t] = a * h + b
        return shown, [h]

    return valid_alone(run, inputs, mask, state, reverse)


def valid_alone(run, inputs, mask, state, reverse):
    """Runs on the valid steps of each row, and repeats outputs at the others.

    Args:
        run: Function from `(time, features)` and a list of states `(size,)` to
            outputs `(time, units)` and the final states.
    """
    batch, time, _ = inputs.shape
    inputs = np.asarray(inputs, "float64")
    state = [np.asarray(s, "float64") for s in state]
    mask = np.ones((batch, time), "bool") if mask is None else mask
    if reverse:
        inputs, mask = inputs[:, ::-1], mask[:, ::-1]
    ends, rows = [s.copy() for s in state], []
    for row in range(batch):
        outputs, end = run(inputs[row, mask[row]], [s[row] for s in state])
        for whole, own in zip(ends, end, strict=True):
            whole[row] = own
        known = np.concatenate([state[0][row : row + 1], outputs])
        rows.append(known[np.cumsum(mask[row])])
    outputs = np.stack(rows)
    last = outputs[:, -1].copy()
    return (outputs[:, ::-1] if reverse else outputs), last, ends


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _affine(weights, x):
    return x @ np.asarray(weights["kernel"], "float64") + weights.get("bias", 0)


def _activate(x, activation):
    if activation == "g":
        return np.where(x < 0, sigmoid(x), x + 0.5)
    return x if activation is None else np.tanh(x)
