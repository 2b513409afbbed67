"""The Neural Turing Machine in NumPy: one row, one step, one slot at a time."""

import numpy as np


def ntm(
    weights,
    inputs,
    mask,
    state,
    *,
    slots,
    width,
    read_heads,
    write_heads,
    shift_range,
    initial_memory=1e-6,
    clip=20.0,
    reverse=False,
):
    """Graves et al. (2014) with Collier and Beel's start, in float64.

    Args:
        weights: Dictionary from the weights' names to arrays.
        inputs, mask: `(batch, time, features)` and `(batch, time)`, or `None`.
        state: List of memory, weightings, read vectors, h and, of an LSTM, c, each
            `(batch, size)`, without what they start from.

    Returns:
        Outputs `(batch, time, units)`, the last of them, the list of final states,
        and weightings `(batch, time, heads, slots)`.
    """
    batch, time, _ = inputs.shape
    mask = np.ones((batch, time), "bool") if mask is None else mask
    weights = {name: np.asarray(w, "float64") for name, w in weights.items()}
    starts = (
        np.full(slots * width, initial_memory),
        np.concatenate([_softmax(logits) for logits in weights["first_weightings"]]),
        np.tanh(weights["first_read"]).ravel(),
        *(0.0 for _ in state[3:]),
    )
    state = [
        np.asarray(s, "float64") + start for s, start in zip(state, starts, strict=True)
    ]
    heads = read_heads + write_heads
    outputs = np.zeros((batch, time, weights["output_bias"].size))
    looks = np.zeros((batch, time, heads, slots))
    last = np.zeros((batch, outputs.shape[2]))
    for row in range(batch):
        memory = state[0][row].reshape(slots, width)
        w = state[1][row].reshape(heads, slots)
        read = state[2][row].reshape(read_heads, width)
        controller = [s[row] for s in state[3:]]
        for t in reversed(range(time)) if reverse else range(time):
            if mask[row, t]:
                x = np.asarray(inputs[row, t], "float64")
                controller = _control(weights, x, read.ravel(), controller)
                parts = controller[0] @ weights["head_kernel"] + weights["head_bias"]
                parts = _clip(parts, clip)
                sizes = [width, 1, 1, 2 * shift_range + 1, 1]
                *addressing, erase, add = _parts(parts, sizes, heads, write_heads)
                w = np.stack(
                    [
                        _address(memory, w[i], *(a[i] for a in addressing), shift_range)
                        for i in range(heads)
                    ]
                )
                read = w[:read_heads] @ memory
                memory = _write(memory, w[read_heads:], erase, add)
            shown = np.concatenate([controller[0], read.ravel()])
            shown = shown @ weights["output_kernel"] + weights["output_bias"]
            outputs[row, t], looks[row, t] = _clip(shown, clip), w
        last[row] = outputs[row, 0 if reverse else -1]
        for s, value in zip(state, (memory, w, read, *controller), strict=True):
            s[row] = value.ravel()
    end = [s - start for s, start in zip(state, starts, strict=True)]
    return outputs, last, end, looks


def _control(weights, x, read, controller):
    z = x @ weights["kernel"] + read @ weights["read_kernel"] + weights["bias"]
    if len(controller) == 1:
        return [np.tanh(z)]
    h, c = controller
    i, f, g, o = np.split(z + h @ weights["recurrent_kernel"], 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return [_sigmoid(o) * np.tanh(c), c]


def _parts(parts, sizes, heads, write_heads):
    """For each kind, a list of what each head gets."""
    found = []
    for size in sizes:
        found.append(parts[: size * heads].reshape(heads, size))
        parts = parts[size * heads :]
    erase, add = parts.reshape(2, write_heads, -1)
    return [*found, erase, add]


def _address(memory, before, key, strength, gate, shifts, gamma, shift_range):
    slots = len(before)
    key, beta, g = np.tanh(key), _softplus(strength[0]), _sigmoid(gate[0])
    norms = np.linalg.norm(key) * np.linalg.norm(memory, axis=1)
    found = _softmax(beta * (memory @ key) / (norms + 1e-8))
    mixed = g * found + (1 - g) * before
    moved = np.zeros(slots)
    for k, part in enumerate(_softmax(shifts)):
        for j in range(slots):
            moved[(j + k - shift_range) % slots] += part * mixed[j]
    powers = moved ** (1 + _softplus(gamma[0]))
    return powers / powers.sum()


def _write(memory, weightings, erase, add):
    for w, e in zip(weightings, erase, strict=True):
        memory = memory * (1 - np.outer(w, _sigmoid(e)))
    for w, a in zip(weightings, add, strict=True):
        memory = memory + np.outer(w, np.tanh(a))
    return memory


def _clip(x, limit):
    return x if limit is None else np.clip(x, -limit, limit)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.logaddexp(0, x)


def _softmax(x):
    powers = np.exp(x - np.max(x))
    return powers / powers.sum()
