"""Steps as the JAX backend runs them."""

import keras

from tasks.tpu.program import Program
from tasks.tpu.steps import Input
from zoo.lazy import jax


def shaped(build):
    """What a function builds, with weights that have shapes and no values.

    So a model may be larger than the memory of this machine.

    Args:
        build: Function without arguments. What it returns must not be run.
    """
    found = []

    def trace():
        found.append(build())

    jax.eval_shape(trace)
    return found[0]


def program_of(step):
    """A `Program` from a `tasks.tpu.steps.Step`, on the JAX backend."""
    inputs = keras.tree.flatten(step.inputs)
    if step.function is None:
        return _training(step, inputs)
    variables = list(step.model.variables)

    def answer(*arrays):
        values, given = arrays[: len(variables)], arrays[len(variables) :]
        # As arguments, weights are not frozen into what is compiled.
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return step.function(keras.tree.pack_sequence_as(step.inputs, given))

    return Program(step.name, answer, list(map(_input, variables)), inputs, False)


def _training(step, inputs):
    model = step.model
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = [list(map(_input, group)) for group in groups]
    flat, structure = jax.tree.flatten(state)

    def train(*arrays):
        own = jax.tree.unflatten(structure, arrays[: len(flat)])
        batch = keras.tree.pack_sequence_as(step.inputs, arrays[len(flat) :])
        logs, new = model.train_step(own, batch)
        return logs, jax.tree.leaves(new)

    return Program(step.name, train, flat, inputs, True)


def _input(variable):
    return Input(
        tuple(variable.shape), keras.backend.standardize_dtype(variable.dtype), None
    )
