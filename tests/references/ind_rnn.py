"""Equation of the independently recurrent network in NumPy."""

import numpy as np

from tests.references.gated import ACTIVATIONS, run


def ind_rnn(
    weights, inputs, mask, state, *, activation="relu", time_steps=None, **options
):
    """Li et al. (2018), with arguments and results of `tests.references.gated.gru`."""
    wide = {name: np.asarray(w, "float64") for name, w in weights.items()}
    act = ACTIVATIONS[activation]
    u = wide["recurrent_kernel"]
    if time_steps is not None:
        u = np.clip(u, -(2 ** (1 / time_steps)), 2 ** (1 / time_steps))

    def step(x, h, fed):
        return act(x @ wide["kernel"] + u * fed + wide.get("bias", 0))

    return run(step, inputs, mask, state, **options)
