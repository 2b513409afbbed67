"""Sizes that a TPU would have to fill up: features by 128, rows by 8."""

import warnings

import keras

LANES, ROWS = 128, 8


def filled(size, unit):
    """The next multiple of `unit`."""
    return int(-(-size // unit) * unit)


def awkward(variables):
    """Weights whose features are no multiple of 128, most padding first.

    Args:
        variables: Keras variables.

    Returns:
        List of `(path, features, part)`: what is padding in a matrix of so many
        features, from 0 to 1. Vectors and single numbers are left out.
    """
    found = []
    for variable in variables:
        shape = tuple(variable.shape)
        if len(shape) > 1 and shape[-1] % LANES:
            part = 1 - shape[-1] / filled(shape[-1], LANES)
            found.append((filled(shape[-1], LANES) * shape[-2], variable.path, part))
    found.sort(key=lambda item: (-item[0] * item[2], item[1]))
    shapes = {v.path: tuple(v.shape) for v in variables}
    return [(path, shapes[path][-1], part) for _, path, part in found]


def waste_of(step, chips):
    """What of a step's sizes is padding.

    Args:
        step: `tasks.tpu.steps.Step`.
        chips: Number of chips that share a batch.

    Returns:
        Dict: `"rows"` of a chip; `"rows_padding"`, the part of them that is filled up;
        `"features"`, a list of dicts of weights whose features are.
    """
    first = keras.tree.flatten(step.inputs)[0]
    rows = first.shape[first.axis] / chips
    return {
        "rows": rows,
        "rows_padding": 1 - rows / filled(rows, ROWS),
        "features": [
            {"weight": path, "features": size, "padding": round(part, 3)}
            for path, size, part in awkward(step.model.trainable_variables)
        ],
    }


def warn_of_padding(model, rows):
    """Warns of what a TPU would fill up, as it costs what full sizes would.

    Args:
        model: `keras.Model` that is to be trained.
        rows: Rows of a batch that each chip has.
    """
    told = [
        f"{path} has {size} features, of which a TPU makes {filled(size, LANES)}"
        for path, size, _ in awkward(model.trainable_variables)[:3]
    ]
    if rows % ROWS:
        told.append(f"{rows:g} rows a chip become {filled(rows, ROWS)}")
    if told:
        warnings.warn(
            "Sizes that are multiples of 128 (features) and 8 (rows) cost a TPU "
            f"nothing more: {'; '.join(told)}.",
            stacklevel=2,
        )
