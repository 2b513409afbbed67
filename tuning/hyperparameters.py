"""A space as KerasTuner has it, and KerasTuner's values as they are meant."""

import contextlib

import keras_tuner
from keras_tuner.src.engine import conditions

from tuning.parameter import as_text, tidy

# KerasTuner 1.4 prints a value of every condition that is sent to or from a worker,
# among what `zoo tune --json` says.
conditions.print = lambda *_: None


def hyperparameters_of(space):
    """Makes `keras_tuner.HyperParameters` of a `tuning.space.Space`."""
    found, by_name = keras_tuner.HyperParameters(), {}
    for parameter in space.parameters:
        by_name[parameter.name] = parameter
        with contextlib.ExitStack() as scopes:
            for parent, values in reversed(_conditions(parameter, by_name)):
                scopes.enter_context(found.conditional_scope(parent, values))
            _register(found, parameter)
    return found


def _conditions(parameter, by_name):
    """The condition of a parameter, that of its parent, and so on."""
    found = []
    while parameter.when is not None:
        parent, values = parameter.when
        parameter = by_name[parent]
        found.append((parent, [_encoded(parameter, value) for value in values]))
    return found


def _register(found, parameter):
    name = parameter.name
    if parameter.choices is not None:
        values = [_encoded(parameter, value) for value in parameter.choices]
        found.Choice(name, values)
        return
    kind = found.Int if parameter.whole else found.Float
    sampling = "log" if parameter.log else "linear"
    step = parameter.step
    if step is None and parameter.whole:
        step = None if parameter.log else 1
    kind(name, parameter.low, parameter.high, step=step, sampling=sampling)


def _numbers(parameter):
    """The one type of a parameter's choices if they are all numbers, else `None`."""
    kinds = {type(value) for value in parameter.choices or ()}
    if kinds and kinds <= {int, float}:
        return int if kinds == {int} else float
    return None


def _encoded(parameter, value):
    # KerasTuner's choices are of one type each; any other value goes by its JSON.
    if parameter.choices is None:
        return value
    kind = _numbers(parameter)
    return as_text(parameter.name, value) if kind is None else kind(value)


def values_of(space, values):
    """The values of a trial: fixed ones, and those that KerasTuner has drawn.

    Args:
        space: `tuning.space.Space`.
        values: Dict as of a KerasTuner trial.

    Returns:
        Dict from name to value, without parameters that do not matter in this trial;
        the fixed ones are last.
    """
    found = {}
    for parameter in space.parameters:
        if parameter.name not in values or not _active(parameter, found):
            continue
        value = values[parameter.name]
        if parameter.choices is not None and _numbers(parameter) is None:
            texts = {as_text(parameter.name, c): c for c in parameter.choices}
            found[parameter.name] = texts[value]
        elif parameter.whole or isinstance(value, int):
            found[parameter.name] = int(value)
        else:
            found[parameter.name] = tidy(float(value))
    return {**found, **space.fixed}


def _active(parameter, values):
    if parameter.when is None:
        return True
    parent, wanted = parameter.when
    return parent in values and values[parent] in wanted
