"""One time step of the Neural Turing Machine: controller, heads, memory."""

from typing import NamedTuple

import numpy as np
from keras import ops

from zoo.ops.activation import bounded
from zoo.ops.lstm import tanh
from zoo.ops.ntm import address, change


class Machine(NamedTuple):
    """What a step must know beyond tensors."""

    recurrent: bool  # whether the controller is an LSTM
    units: int  # of the controller
    slots: int
    width: int
    read_heads: int
    write_heads: int
    shifts: int
    initial_memory: float
    clip: float | None

    @property
    def heads(self):
        return self.read_heads + self.write_heads

    @property
    def state_sizes(self):
        """Sizes of memory, weightings, vectors read, h and c."""
        cells, read = self.slots * self.width, self.read_heads * self.width
        controller = (self.units,) * (2 if self.recurrent else 1)
        return (cells, self.heads * self.slots, read, *controller)

    @property
    def head_sizes(self):
        """Sizes of key, strength, gate, shifts, gamma, erase and add of all heads."""
        each = (self.width, 1, 1, self.shifts, 1)
        return (*(n * self.heads for n in each), *[self.width * self.write_heads] * 2)


def ntm_step(machine, weights, state, inputs):
    """Runs one step; states are what differs from the start.

    Args:
        machine: A `Machine`.
        weights: Tuple of the controller's kernel for what was read, and for an LSTM
            also for its state; kernel and bias of the heads; first weightings and
            first vectors read, `(1, size)`.
        state: Tuple of memory, weightings, vectors read, h and, for an LSTM, c.
        inputs: Tuple of the inputs' part of the controller, `(batch, gates)`, and a
            boolean mask `(batch,)` or `None`.

    Returns:
        The new state. Where the mask is false, the old one.
    """
    kernel, head_kernel, head_bias, first_weightings, first_read = weights
    memory, before, read, *controller = state
    projected, mask = inputs
    controller = _control(machine, kernel, projected, read + first_read, controller)
    heads = bounded(controller[0] @ head_kernel + head_bias, machine.clip)
    *addressing, erase, add = _parameters(machine, heads)
    cells = ops.reshape(memory, (-1, machine.slots, machine.width))
    whole = cells + machine.initial_memory
    before = ops.reshape(before + first_weightings, (-1, machine.heads, machine.slots))
    weighting = address(whole, before, *addressing)
    n = machine.read_heads
    cells = cells + change(whole, weighting[:, n:], erase, add)
    new = (
        _flat(cells, machine.slots * machine.width),
        _flat(weighting, machine.heads * machine.slots) - first_weightings,
        _flat(weighting[:, :n] @ whole, n * machine.width) - first_read,
        *controller,
    )
    if mask is None:
        return new
    valid = ops.expand_dims(mask, -1)
    return tuple(ops.where(valid, a, b) for a, b in zip(new, state, strict=True))


def _control(machine, kernel, projected, read, controller):
    """New h of a feed-forward controller, h and c of an LSTM."""
    if not machine.recurrent:
        return (tanh(projected + read @ kernel),)
    h, c = controller
    gates = projected + ops.concatenate([read, h], -1) @ kernel
    i, f, g, o = ops.split(gates, 4, -1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * tanh(g)
    return ops.sigmoid(o) * tanh(c), c


def _parameters(machine, heads):
    """What the heads get, each `(batch, heads, size)` and in its range."""
    cuts = np.cumsum(machine.head_sizes)[:-1]
    counts = (*[machine.heads] * 5, *[machine.write_heads] * 2)
    parts = ops.split(heads, [int(cut) for cut in cuts], -1)
    key, strength, gate, shifts, gamma, erase, add = (
        ops.reshape(part, (-1, count, part.shape[-1] // count))
        for part, count in zip(parts, counts, strict=True)
    )
    return (
        tanh(key),
        ops.softplus(strength),
        ops.sigmoid(gate),
        ops.softmax(shifts, -1) if machine.shifts > 1 else ops.ones_like(shifts),
        1 + ops.softplus(gamma),
        ops.sigmoid(erase),
        tanh(add),
    )


def _flat(x, size):
    return ops.reshape(x, (-1, size))
