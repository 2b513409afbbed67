"""How a forecaster reads a window and foretells all of the horizon at once."""

from keras import layers, ops

from tasks.forecast.inputs import step_features
from tasks.forecast.segments import FastDropout, SegmentDecoder


def step_form(parts, inputs, values, states=None):
    """A recurrent layer over single steps, and a dense network for the horizon.

    Args:
        parts: `tasks.forecast.parts.Parts`.
        inputs: Dict of `tasks.forecast.inputs.window_inputs`.
        values: Normalised values `(rows, time)`, zero where missing.
        states: List of the encoder's initial states; zeros by default.

    Returns:
        The head's raw numbers `(rows, horizon, size)`, and what they were made from,
        `(rows, units)`.
    """
    options = parts.options
    units, horizon = options["units"], options["horizon"]
    row = parts.about_row(inputs, parts.row_size)
    y, *_ = parts.encoder(steps_read(inputs, values, row), initial_state=states)
    if row is not None:
        y = ops.concatenate([y, row], -1)
    if "future" in inputs:
        ahead = inputs["future"][:, values.shape[1] :]
        ahead = ops.reshape(ahead, (-1, horizon * ahead.shape[-1]))
        y = ops.concatenate([y, ahead], -1)
    y = parts("hidden", layers.Dense, units, activation="relu")(y)
    y = parts("hidden_dropout", layers.Dropout, options["dropout"])(y)
    return parts.raw(y, horizon), y


def steps_read(inputs, values, row):
    """What the encoder of `step_form` reads: `(rows, time, n)`.

    Each step as it is, with what the row is about. A recurrent layer multiplies what it
    reads by a kernel of its own, so a linear embedding before it would add a product as
    large as that with its state, and nothing that it could not learn without.
    """
    x = step_features(inputs, values)
    if row is None:
        return x
    row = ops.repeat(ops.expand_dims(row, 1), x.shape[1], 1)
    return ops.concatenate([x, row], -1)


def segment_form(parts, inputs, values):
    """A recurrent layer over segments, stepped once more for each future segment.

    Args and returns: as of `step_form`.
    """
    options = parts.options
    units, length = options["units"], options["segment_length"]
    horizon = options["horizon"]
    encoder, count = parts.encoder, -(-horizon // length)
    x, mask = _segments(parts, inputs, values)
    _, *states = encoder(x, mask=mask)
    future = _future_segments(parts, inputs, values.shape[1], count)
    decoder = parts("decoder", SegmentDecoder, encoder, count, units)
    y = decoder(states, row=parts.about_row(inputs, units), future=future)
    y = parts("decoder_dropout", FastDropout, options["dropout"])(y)
    raw = ops.reshape(parts.raw(y, length), (-1, count * length, parts.head.size))
    # Seasons have states of their own where they are segments.
    state = y if length == options["season"] else ops.reshape(y, (-1, count * units))
    return raw[:, :horizon], state


def _segments(parts, inputs, values):
    """Embedded segments of the context, and which of them have any value."""
    length, context = parts.options["segment_length"], values.shape[1]
    x, mask = step_features(inputs, values), inputs["mask"]
    before = -context % length  # missing steps that fill up the first segment
    if before:
        x = ops.pad(x, [[0, 0], [before, 0], [0, 0]])
        mask = ops.pad(mask, [[0, 0], [before, 0]])
    x = ops.reshape(x, (-1, (context + before) // length, length * x.shape[-1]))
    mask = ops.any(ops.reshape(mask, (-1, x.shape[1], length)), -1)
    units = parts.options["units"]
    return parts("segment_embedding", layers.Dense, units, activation="relu")(x), mask


def _future_segments(parts, inputs, context, count):
    """What is known of each future segment, embedded; `None` if nothing is."""
    if "future" not in inputs:
        return None
    options, future = parts.options, inputs["future"][:, context:]
    length, features = options["segment_length"], future.shape[-1]
    gap = count * length - options["horizon"]
    future = ops.pad(future, [[0, 0], [0, gap], [0, 0]])
    future = ops.reshape(future, (-1, count, length * features))
    return parts("future_embedding", layers.Dense, options["units"])(future)
