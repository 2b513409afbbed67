"""The model of a forecaster: one window of one series in, its future out.

Every row is one channel of one series. What a row is about besides its values comes as
inputs of its own: which channel it is, static features, past and future covariates.
"""

import keras
import numpy as np
from keras import layers, ops

from tasks.ancestral import NextStep
from tasks.heads import get_head
from tasks.normalization import ReversibleNormalization
from tasks.season_copies import SeasonCopies
from tasks.segments import FastDropout, SegmentDecoder
from zoo.layers import Stack

ARCHITECTURES = ("segment", "direct", "autoregressive")


class Compiled(keras.Model):
    """A functional model that XLA compiles also where Keras by itself would not: on a
    CPU, where it makes training some twice as fast.
    """

    def _resolve_auto_jit_compile(self):
        alone = getattr(self, "_distribute_strategy", None) is None
        if keras.backend.backend() == "tensorflow" and alone:
            return True
        return super()._resolve_auto_jit_compile()


def build_forecaster(options):
    """Builds a forecaster.

    Args:
        options: Dict of the options of `tasks.forecasting.Forecaster`.

    Returns:
        Two functional models with the same layers. The first takes the dict of
        `window_inputs` and returns the outputs of the head for all steps of the
        horizon (for `"autoregressive"` it takes `"noise"` too, and returns
        `{"samples": (rows, paths, horizon)}`). The second takes `"target"`
        `(rows, horizon)` and `"target_mask"` too, and returns each row's loss
        `(rows,)`: the mean over the steps that are there.
    """
    build = {
        "segment": _build_direct,
        "direct": _build_direct,
        "autoregressive": _build_autoregressive,
    }
    if options["architecture"] not in build:
        raise ValueError(
            f"`architecture` must be one of {ARCHITECTURES}. "
            f"Received: {options['architecture']!r}"
        )
    return build[options["architecture"]](options)


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


def _target_inputs(options):
    shape = (options["horizon"],)
    return {
        "target": keras.Input(shape, name="target"),
        "target_mask": keras.Input(shape, dtype="bool", name="target_mask"),
    }


def _encoder(options, return_sequences=False):
    return Stack.of(
        options["layer"],
        options["units"],
        options["num_layers"],
        return_sequences=return_sequences,
        return_state=True,
        layer_options=dict(options["layer_options"]),
        dropout=options["dropout"] if options["num_layers"] > 1 else 0.0,
        name="encoder",
    )


def _about_row(inputs, options, size):
    """A vector of each row for its channel and static features; `None` if it has none.

    Every channel has a vector of its own, that static features are added to.
    """
    parts = []
    if "channel" in inputs:
        channels = options["channels"]
        table = layers.Dense(size, use_bias=False, name="channel_embedding")
        # A product with a table of few rows has a far cheaper gradient than a look-up.
        parts.append(table(ops.one_hot(inputs["channel"], channels)))
    if "static" in inputs:
        parts.append(layers.Dense(size, name="static_embedding")(inputs["static"]))
    return sum(parts[1:], parts[0]) if parts else None


def _build_direct(options):
    """All steps of the horizon at once, from the state after the context."""
    # === Layers ===
    head = get_head(options["head"], options["quantiles"])
    normalize = ReversibleNormalization(options["normalization"], name="normalization")
    foretell = {"segment": _segment_form, "direct": _step_form}[options["architecture"]]
    # === Functional models ===
    inputs, truth = window_inputs(options), _target_inputs(options)
    values, location, scale = normalize(inputs["values"], mask=inputs["mask"])
    raw, state = foretell(inputs, values, head.size, options)
    if options["season_copies"]:
        copies = SeasonCopies(options["season"], options["horizon"], name="copies")
        # The head then says what differs from them, whatever it speaks of.
        location = location + scale * copies(state, values, mask=inputs["mask"])
    model = Compiled(inputs, head.outputs(raw, location, scale), name="forecaster")
    target = (truth["target"] - location) / scale
    losses = head.loss(raw, target, scale)
    if not options["normalized_loss"]:
        losses = losses * scale**head.power
    loss = _mean_loss(losses, truth["target_mask"])
    return model, Compiled({**inputs, **truth}, loss, name="forecaster_training")


def _mean_loss(losses, mask):
    there = ops.cast(mask, losses.dtype)
    losses = ops.where(mask, losses, 0.0)
    return ops.sum(losses, 1) / ops.maximum(ops.sum(there, 1), 1.0)


def _step_features(inputs, values, options):
    """Values with what else is known of each step of the context: `(rows, time, n)`."""
    context = options["context_length"]
    missing = ops.cast(ops.logical_not(inputs["mask"]), values.dtype)
    parts = [ops.expand_dims(values, -1), ops.expand_dims(missing, -1)]
    if "past" in inputs:
        parts.append(inputs["past"])
    if "future" in inputs:
        parts.append(inputs["future"][:, :context])
    return ops.concatenate(parts, -1)


def _step_form(inputs, values, size, options):
    """A recurrent layer over single steps, and a dense network for the horizon."""
    units, horizon = options["units"], options["horizon"]
    x = _step_features(inputs, values, options)
    row = _about_row(inputs, options, units)
    x = layers.Dense(units, name="step_embedding")(x)
    if row is not None:
        x = x + ops.expand_dims(row, 1)
    y, *_ = _encoder(options)(x)
    if row is not None:
        y = ops.concatenate([y, row], -1)
    if "future" in inputs:
        ahead = inputs["future"][:, options["context_length"] :]
        ahead = ops.reshape(ahead, (-1, horizon * ahead.shape[-1]))
        y = ops.concatenate([y, ahead], -1)
    y = layers.Dense(units, activation="relu", name="hidden")(y)
    y = layers.Dropout(options["dropout"], name="hidden_dropout")(y)
    raw = layers.Dense(horizon * size, name="head")(y)
    return ops.reshape(raw, (-1, horizon, size)), y


def _segment_form(inputs, values, size, options):
    """A recurrent layer over segments, stepped once more for each future segment."""
    units, length = options["units"], options["segment_length"]
    context, horizon = options["context_length"], options["horizon"]
    encoder, count = _encoder(options), -(-horizon // length)
    x, mask = _step_features(inputs, values, options), inputs["mask"]
    before = -context % length  # missing steps that fill up the first segment
    if before:
        x = ops.pad(x, [[0, 0], [before, 0], [0, 0]])
        mask = ops.pad(mask, [[0, 0], [before, 0]])
    x = ops.reshape(x, (-1, (context + before) // length, length * x.shape[-1]))
    mask = ops.any(ops.reshape(mask, (-1, x.shape[1], length)), -1)
    x = layers.Dense(units, activation="relu", name="segment_embedding")(x)
    _, *states = encoder(x, mask=mask)
    future = None
    if "future" in inputs:
        future = inputs["future"][:, context:]
        features = future.shape[-1]
        future = ops.pad(future, [[0, 0], [0, count * length - horizon], [0, 0]])
        future = ops.reshape(future, (-1, count, length * features))
        future = layers.Dense(units, name="future_embedding")(future)
    decoder = SegmentDecoder(encoder, count, units, name="decoder")
    y = decoder(states, row=_about_row(inputs, options, units), future=future)
    y = FastDropout(options["dropout"], name="decoder_dropout")(y)
    raw = layers.Dense(length * size, name="head")(y)
    # Seasons have states of their own where they are segments.
    state = y if length == options["season"] else ops.reshape(y, (-1, count * units))
    return ops.reshape(raw, (-1, count * length, size))[:, :horizon], state


def _build_autoregressive(options):
    """Step after step: the next value is drawn, and read as if it were true."""
    # === Layers ===
    horizon = options["horizon"]
    head = get_head(options["head"], options["quantiles"])
    if not hasattr(head, "sample"):
        raise ValueError(
            f'head={options["head"]!r} does not go with architecture="autoregressive": '
            'take "direct" or "segment", or another head.'
        )
    normalize = ReversibleNormalization(options["normalization"], name="normalization")
    encoder = _encoder(options, return_sequences=True)
    network = NextStep(encoder, head, name="next_step")
    # === Functional models ===
    inputs, truth = window_inputs(options), _target_inputs(options)
    if "past" in inputs:
        raise ValueError(
            'architecture="autoregressive" draws the future step by step, and past '
            'covariates are not known there: take "direct" or "segment".'
        )
    noise = keras.Input((options["samples"], horizon, 2), name="noise")
    values, location, scale = normalize(inputs["values"], mask=inputs["mask"])
    missing = ops.cast(ops.logical_not(inputs["mask"]), values.dtype)
    known = _known_ahead(inputs, options)
    paths = network(values, missing, known, noise)
    paths = paths * ops.expand_dims(scale, 1) + ops.expand_dims(location, 1)
    model = Compiled({**inputs, "noise": noise}, {"samples": paths}, name="forecaster")
    target = ops.where(truth["target_mask"], (truth["target"] - location) / scale, 0.0)
    gone = ops.cast(ops.logical_not(truth["target_mask"]), values.dtype)
    raw = network(
        ops.concatenate([values, target[:, :-1]], 1),
        ops.concatenate([missing, gone[:, :-1]], 1),
        known,
    )
    every = ops.concatenate([values[:, 1:], target], 1)
    mask = ops.concatenate([inputs["mask"][:, 1:], truth["target_mask"]], 1)
    losses = head.loss(raw, every, scale)
    if not options["normalized_loss"]:
        losses = losses * scale**head.power
    loss = _mean_loss(losses, mask)
    return model, Compiled({**inputs, **truth}, loss, name="forecaster_training")


def _known_ahead(inputs, options):
    """What is known of each step but the first: `(rows, time, n)`, or `None`."""
    steps, parts = options["context_length"] + options["horizon"] - 1, []
    row = _about_row(inputs, options, min(options["units"], 16))
    if row is not None:
        row = ops.expand_dims(row, 1)
        parts.append(ops.repeat(row, steps, 1))
    if "future" in inputs:
        parts.append(inputs["future"][:, 1:])
    return ops.concatenate(parts, -1) if parts else None


def parameters(model):
    """Number of trained weights."""
    return int(sum(np.prod(v.shape) for v in model.trainable_weights))
