"""The graphs of a stream: read some more steps from a state, or foretell from it."""

import keras
from keras import ops

from tasks.forecast.ancestral import next_step_inputs
from tasks.forecast.forms import step_form, steps_read
from tasks.forecast.inputs import gaps, noise_input, window_inputs
from tasks.forecast.model import known_ahead, next_step
from tasks.training import Compiled


def why_not_carried(options):
    """Why a forecaster's state cannot be carried from row to row; `None` if it can.

    Args:
        options: Dict of the options of `tasks.forecasting.Forecaster`.
    """
    if options["architecture"] == "segment":
        return 'architecture="segment" cuts each window into segments anew'
    if options["normalization"] is not None:
        return (
            f'normalization="{options["normalization"]}" scales each window by itself'
        )
    if options["season_copies"]:
        return "`season_copies` mixes the values of the window"
    if options["layer_options"].get("reverse"):
        return "the layer runs from the last step to the first"
    return None


def state_names(parts):
    """Names of the encoder's states among a graph's inputs and outputs."""
    return [f"state_{i}" for i in range(len(parts.encoder.state_sizes))]


def build_reader(parts, steps):
    """A model that reads some steps and says what state they lead to.

    Args:
        parts: `tasks.forecast.parts.Parts` of a forecaster that has been built.
        steps: Number of steps.

    Returns:
        Functional model. It takes the `window_inputs` of a context of this length,
        `"read"` `(rows, steps)`, false for steps that hold the state as it is, and the
        states `(rows, size)`; it returns a dict of the states.
    """
    options = {**parts.options, "context_length": steps}
    inputs, states = window_inputs(options), _state_inputs(parts)
    read = keras.Input((steps,), dtype="bool", name="read")
    values, *_ = parts.normalize(inputs["values"], mask=inputs["mask"])
    if options["architecture"] == "autoregressive":
        missing = gaps(inputs["mask"], values.dtype)
        x = next_step_inputs(values, missing, known_ahead(parts, inputs))
    else:
        row = parts.about_row(inputs, parts.row_size)
        x = steps_read(inputs, values, row)
    _, *after = parts.encoder(x, mask=read, initial_state=list(states.values()))
    outputs = dict(zip(states, after, strict=True))
    return Compiled({**inputs, **states, "read": read}, outputs, name="reader")


def build_foreteller(parts):
    """A model that reads one step more and foretells what comes after it.

    Args:
        parts: As of `build_reader`.

    Returns:
        Functional model. It takes the `window_inputs` of a context of one step, the
        states before it, and `"noise"` to draw with; it returns what the forecaster's
        own model returns.
    """
    options = {**parts.options, "context_length": 1}
    inputs, states = window_inputs(options), _state_inputs(parts)
    values, location, scale = parts.normalize(inputs["values"], mask=inputs["mask"])
    before = list(states.values())
    if options["architecture"] == "autoregressive":
        states["noise"] = noise_input(options)
        missing = gaps(inputs["mask"], values.dtype)
        paths = next_step(parts)(
            values,
            missing,
            known_ahead(parts, inputs),
            states["noise"],
            initial_state=before,
        )
        outputs = {"samples": paths}
    else:
        raw, _ = step_form(parts, inputs, values, before)
        outputs = parts.head.outputs(raw, location, scale)
    return Compiled({**inputs, **states}, outputs, name="foreteller")


def _state_inputs(parts):
    sizes, dtype = parts.encoder.state_sizes, _state_dtype(parts.encoder)
    return {
        name: keras.Input((size,), dtype=dtype, name=name)
        for name, size in zip(state_names(parts), sizes, strict=True)
    }


def _state_dtype(encoder):
    return keras.backend.standardize_dtype(encoder.get_initial_state(1)[0].dtype)


def first_states(parts, rows):
    """The states before the first row of a stream: dict of arrays `(rows, size)`."""
    states = parts.encoder.get_initial_state(rows)
    return {
        name: ops.convert_to_numpy(state)
        for name, state in zip(state_names(parts), states, strict=True)
    }
