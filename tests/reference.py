"""Equations of the layers in NumPy: one row, one step, float64."""

import numpy as np


def zoneout_lstm(
    weights,
    inputs,
    mask,
    state,
    *,
    zoneout_h=0.0,
    zoneout_c=0.0,
    layer_norm=False,
    reverse=False,
    recurrent_mask=None,
    **training_only,
):
    """Krueger et al. (2017) at inference, with masked steps left out of the loop.

    Args:
        weights: Dictionary from the weights' names to arrays.
        inputs, mask: `(batch, time, features)` and `(batch, time)`, or `None`.
        state: List `[h, c]`, `(batch, size)` and `(batch, units)`.
        recurrent_mask: `(batch, size)`, multiplied with h before its product.

    Returns:
        Outputs `(batch, time, size)`, the last of them, and the final `[h, c]`.
    """
    batch, time, _ = inputs.shape
    mask = np.ones((batch, time), "bool") if mask is None else mask
    weights = {name: np.asarray(w, "float64") for name, w in weights.items()}
    h, c = (np.array(s, "float64") for s in state)
    kept = np.ones_like(h) if recurrent_mask is None else recurrent_mask
    outputs = np.zeros((batch, time, h.shape[1]))
    for row in range(batch):
        for t in reversed(range(time)) if reverse else range(time):
            if mask[row, t]:
                x = np.asarray(inputs[row, t], "float64")
                new_h, new_c = _step(weights, x, kept[row] * h[row], c[row], layer_norm)
                h[row] = zoneout_h * h[row] + (1 - zoneout_h) * new_h
                c[row] = zoneout_c * c[row] + (1 - zoneout_c) * new_c
            outputs[row, t] = h[row]
    return outputs, h.copy(), [h, c]


def _step(weights, x, h, c, layer_norm):
    input_part = x @ weights["kernel"]
    recurrent_part = h @ weights["recurrent_kernel"]
    if layer_norm:
        input_part = weights["input_gain"] * _normal(input_part)
        recurrent_part = weights["recurrent_gain"] * _normal(recurrent_part)
    i, f, g, o = np.split(input_part + recurrent_part + weights.get("bias", 0), 4)
    see_i, see_f, see_o = np.split(weights.get("peephole_kernel", np.zeros(3)), 3)
    i, f = i + see_i * c, f + see_f * c
    new_c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    o = o + see_o * new_c
    seen = new_c
    if layer_norm:
        seen = weights["cell_gain"] * _normal(new_c) + weights["cell_bias"]
    new_h = _sigmoid(o) * np.tanh(seen)
    return new_h @ weights.get("projection_kernel", np.eye(len(c))), new_c


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _normal(x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)
