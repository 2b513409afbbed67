"""The model of a forecaster: one window of one series in, its future out.

Every row is one channel of one series. What a row is about besides its values comes as
inputs of its own: which channel it is, static features, past and future covariates.
"""

import numpy as np
from keras import ops

from tasks.forecast.ancestral import NextStep
from tasks.forecast.forms import segment_form, step_form
from tasks.forecast.inputs import gaps, noise_input, target_inputs, window_inputs
from tasks.forecast.season_copies import SeasonCopies
from tasks.training import Compiled

ARCHITECTURES = ("segment", "direct", "autoregressive")


def build_forecaster(parts):
    """Builds a forecaster.

    Args:
        parts: `tasks.forecast.parts.Parts`, to take the layers from.

    Returns:
        Two functional models with the same layers. The first takes the dict of
        `window_inputs` and returns the outputs of the head for all steps of the
        horizon (for `"autoregressive"` it takes `"noise"` too, and returns
        `{"samples": (rows, paths, horizon)}`). The second takes `"target"`
        `(rows, horizon)` and `"target_mask"` too, and returns each row's loss
        `(rows,)`: the mean over the steps that are there.

    Raises:
        ValueError: If options do not go together.
    """
    architecture = parts.options["architecture"]
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"`architecture` must be one of {ARCHITECTURES}. Received: {architecture!r}"
        )
    if architecture == "autoregressive":
        return _build_autoregressive(parts)
    return _build_direct(parts)


def _build_direct(parts):
    """All steps of the horizon at once, from the state after the context."""
    # === Layers ===
    options, head, normalize = parts.options, parts.head, parts.normalize
    foretell = {"segment": segment_form, "direct": step_form}[options["architecture"]]
    # === Functional models ===
    inputs, truth = window_inputs(options), target_inputs(options)
    values, location, scale = normalize(inputs["values"], mask=inputs["mask"])
    raw, state = foretell(parts, inputs, values)
    if options["season_copies"]:
        copies = parts("copies", SeasonCopies, options["season"], options["horizon"])
        # The head then says what differs from them, whatever it speaks of.
        location = location + scale * copies(state, values, mask=inputs["mask"])
    model = Compiled(inputs, head.outputs(raw, location, scale), name="forecaster")
    target = (truth["target"] - location) / scale
    loss = _loss(parts, raw, target, scale, truth["target_mask"])
    return model, Compiled({**inputs, **truth}, loss, name="forecaster_training")


def _loss(parts, raw, target, scale, mask):
    """Loss of each row, the mean over the steps that are there: `(rows,)`."""
    losses = parts.head.loss(raw, target, scale)
    if not parts.options["normalized_loss"]:
        losses = losses * scale**parts.head.power
    there = ops.cast(mask, losses.dtype)
    losses = ops.where(mask, losses, 0.0)
    if parts.options["loss_horizons"]:
        there = there * _step_weights(parts.options)
        return ops.sum(losses * there, 1) / ops.maximum(ops.sum(there, 1), 1e-6)
    return ops.sum(losses, 1) / ops.maximum(ops.sum(there, 1), 1.0)


def _step_weights(options):
    """What each step counts, `(horizon,)`: the means over several horizons alike."""
    steps, horizons = options["horizon"], options["loss_horizons"]
    weights = sum((np.arange(steps) < n) * (steps / n) for n in horizons)
    return ops.convert_to_tensor((weights / len(horizons)).astype("float32"))


def _build_autoregressive(parts):
    """Step after step: the next value is drawn, and read as if it were true."""
    # === Layers ===
    options, normalize = parts.options, parts.normalize
    network = next_step(parts)
    # === Functional models ===
    inputs, truth = window_inputs(options), target_inputs(options)
    if "past" in inputs:
        raise ValueError(
            'architecture="autoregressive" draws the future step by step, and past '
            'covariates are not known there: take "direct" or "segment".'
        )
    noise = noise_input(options)
    values, location, scale = normalize(inputs["values"], mask=inputs["mask"])
    missing = gaps(inputs["mask"], values.dtype)
    known = known_ahead(parts, inputs)
    paths = network(values, missing, known, noise)
    paths = paths * ops.expand_dims(scale, 1) + ops.expand_dims(location, 1)
    model = Compiled({**inputs, "noise": noise}, {"samples": paths}, name="forecaster")
    target = ops.where(truth["target_mask"], (truth["target"] - location) / scale, 0.0)
    gone = gaps(truth["target_mask"], values.dtype)
    raw = network(
        ops.concatenate([values, target[:, :-1]], 1),
        ops.concatenate([missing, gone[:, :-1]], 1),
        known,
    )
    every = ops.concatenate([values[:, 1:], target], 1)
    mask = ops.concatenate([inputs["mask"][:, 1:], truth["target_mask"]], 1)
    loss = _loss(parts, raw, every, scale, mask)
    return model, Compiled({**inputs, **truth}, loss, name="forecaster_training")


def next_step(parts):
    """The network of `"autoregressive"`.

    Raises:
        ValueError: If the head cannot be drawn from.
    """
    if not hasattr(parts.head, "sample"):
        raise ValueError(
            f"head={parts.options['head']!r} does not go with "
            'architecture="autoregressive": take "direct" or "segment", or another '
            "head."
        )
    return parts("next_step", NextStep, parts.encoder, parts.head)


def known_ahead(parts, inputs):
    """What is known of each step but the first: `(rows, time, n)`, or `None`."""
    options, found = parts.options, []
    steps = inputs["values"].shape[1] + options["horizon"] - 1
    row = parts.about_row(inputs, parts.row_size)
    if row is not None:
        found.append(ops.repeat(ops.expand_dims(row, 1), steps, 1))
    if "future" in inputs:
        found.append(inputs["future"][:, 1:])
    return ops.concatenate(found, -1) if found else None
