"""Equations of the GRU and of the simple network in NumPy: one row, one step, float64.

Masked steps are left out of the loop, as if they were not there.
"""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
}


def gru(weights, inputs, mask, state, *, zoneout_h=0.0, reset_after=True, **options):
    """Cho et al. (2014), or with `reset_after` the form of cuDNN, at inference.

    Args:
        weights: Dictionary from the weights' names to arrays.
        inputs, mask: `(batch, time, features)` and `(batch, time)`, or `None`.
        state: List `[h]`, `(batch, units)`.
        **options: See `run`.

    Returns:
        Outputs `(batch, time, units)`, the last of them, and the final `[h]`.
    """
    kernel, recurrent = _wide(weights["kernel"]), _wide(weights["recurrent_kernel"])
    n = recurrent.shape[0]
    bias = _wide(weights.get("bias", np.zeros((1 + reset_after, 3 * n))))
    bias = np.reshape(bias, (-1, 3 * n))
    state_bias = bias[1] if reset_after else np.zeros(3 * n)

    def step(x, h, fed):
        v, u = x @ kernel + bias[0], fed @ recurrent + state_bias
        z = _sigmoid(v[:n] + u[:n])
        r = _sigmoid(v[n : 2 * n] + u[n : 2 * n])
        if reset_after:
            g = np.tanh(v[2 * n :] + r * u[2 * n :])
        else:
            g = np.tanh(v[2 * n :] + (r * fed) @ recurrent[:, 2 * n :])
        return z * h + (1 - z) * g

    return run(step, inputs, mask, state, zoneout_h, **options)


def simple_rnn(
    weights, inputs, mask, state, *, zoneout_h=0.0, activation="tanh", **options
):
    """Elman (1990), with arguments and results of `gru`."""
    kernel, recurrent = _wide(weights["kernel"]), _wide(weights["recurrent_kernel"])
    act = ACTIVATIONS[activation]

    def step(x, h, fed):
        return act(x @ kernel + fed @ recurrent + _wide(weights.get("bias", 0)))

    return run(step, inputs, mask, state, zoneout_h, **options)


def run(
    step,
    inputs,
    mask,
    state,
    zoneout_h=0.0,
    reverse=False,
    recurrent_mask=None,
    hold=None,
    **training_only,
):
    """Runs a recurrence with one state, with zoneout at its expectation.

    Args:
        step: Function from one row's `(x, h, fed)` to its new state; `fed` is h with
            recurrent dropout.
        inputs, mask, state: As `gru` takes them.
        zoneout_h: Part of the old state that is mixed into the new one.
        reverse: Whether to run backwards.
        recurrent_mask: `(batch, units)`, or `None`.
        hold: `(batch, time, units)`, true where a unit is held; or `None`.
    """
    batch, time, _ = inputs.shape
    mask = np.ones((batch, time), "bool") if mask is None else mask
    h = np.array(state[0], "float64")
    kept = np.ones_like(h) if recurrent_mask is None else recurrent_mask
    outputs = np.zeros((batch, time, h.shape[1]))
    for row in range(batch):
        for t in reversed(range(time)) if reverse else range(time):
            if mask[row, t]:
                new = step(_wide(inputs[row, t]), h[row], kept[row] * h[row])
                new = zoneout_h * h[row] + (1 - zoneout_h) * new
                h[row] = new if hold is None else np.where(hold[row, t], h[row], new)
            outputs[row, t] = h[row]
    return outputs, h.copy(), [h]


def _wide(x):
    return np.asarray(x, "float64")


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
