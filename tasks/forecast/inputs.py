"""What a forecaster's model takes: one window of one channel, and what it must say."""

import keras
from keras import ops


def window_inputs(options):
    """Inputs of the model, as `tasks.data.windows` makes them.

    `"values"` and `"mask"` `(rows, context_length)`; with several channels `"channel"`
    `(rows,)`; with such features `"static"` `(rows, n)`, `"past"`
    `(rows, context_length, n)` and `"future"` `(rows, context_length + horizon, n)`.
    """
    context, horizon = options["context_length"], options["horizon"]
    inputs = {
        "values": keras.Input((context,), name="values"),
        "mask": keras.Input((context,), dtype="bool", name="mask"),
    }
    if options["channels"] > 1:
        inputs["channel"] = keras.Input((), dtype="int32", name="channel")
    for name, shape in (
        ("static", (options["static_size"],)),
        ("past", (context, options["past_size"])),
        ("future", (context + horizon, options["future_size"])),
    ):
        if shape[-1]:
            inputs[name] = keras.Input(shape, name=name)
    return inputs


def target_inputs(options):
    """What training takes besides: `"target"` and `"target_mask"` `(rows, horizon)`."""
    shape = (options["horizon"],)
    return {
        "target": keras.Input(shape, name="target"),
        "target_mask": keras.Input(shape, dtype="bool", name="target_mask"),
    }


def noise_input(options):
    """Random numbers to draw paths with: `(rows, samples, horizon, 2)`."""
    return keras.Input((options["samples"], options["horizon"], 2), name="noise")


def gaps(mask, dtype="float32"):
    """1 where a value is missing, else 0: of the mask's shape."""
    return ops.cast(ops.logical_not(mask), dtype)


def step_features(inputs, values):
    """Values with what else is known of each step of the context: `(rows, time, n)`."""
    parts = [
        ops.expand_dims(values, -1),
        ops.expand_dims(gaps(inputs["mask"], values.dtype), -1),
    ]
    if "past" in inputs:
        parts.append(inputs["past"])
    if "future" in inputs:
        parts.append(inputs["future"][:, : values.shape[1]])
    return ops.concatenate(parts, -1)
