"""Sequences that show faults, and how they are compared."""

import numpy as np

BATCH, TIME, FEATURES, UNITS = 5, 6, 3, 4


def close(got, wanted, tolerance=1e-5):
    """Asserts that two arrays, or two lists of them, are equal up to rounding."""
    if isinstance(wanted, list):
        for a, b in zip(got, wanted, strict=True):
            close(a, b, tolerance)
    else:
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def some_data(dtype="float32", time=TIME):
    """Inputs, and a mask with all that easy masks leave out.

    Right padding alone cannot show that a causal layer ignores its mask: here are
    also left padding, holes, a hole between paddings, and an empty row.
    """
    inputs = np.random.default_rng(0).normal(size=(BATCH, time, FEATURES))
    mask = np.ones((BATCH, max(time, TIME)), "bool")
    mask[1, 4:] = mask[2, :2] = mask[2, 3] = mask[3, [0, 2, -1]] = mask[4] = False
    return inputs.astype(dtype), mask[:, :time]


def in_order(direction):
    """Two parts of the time axis, the one that is read first in front."""
    first, second = slice(0, 3), slice(3, None)
    return (first, second) if direction == "forward" else (second, first)
