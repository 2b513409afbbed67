"""What the tasks do in a step, without the TPU's compiler: no host, no open shape."""

import json
import subprocess
import sys

import keras
import pytest

from tasks.tpu import reading
from tasks.tpu.check import BACKENDS
from tasks.tpu.sizes import awkward, filled, waste_of
from tasks.tpu.steps import Input, Step, steps_of
from tasks.tpu.untrained import NAMES, untrained
from tests.distributed import ROOT, TASKS

# Lowers the steps of small tasks for a TPU, which JAX can without its compiler.
ON_JAX = """
import json, sys
from tasks.tpu import from_jax, reading
from tasks.tpu.steps import steps_of
from tests.distributed import TASKS
from zoo.devices import compiling_for
from zoo.lazy import jax

for name in sys.argv[1:]:
    for step in from_jax.shaped(lambda: steps_of(TASKS[name][0](), 4, 8)):
        program = from_jax.program_of(step)
        given = [
            jax.ShapeDtypeStruct(x.shape, x.dtype)
            for x in [*program.state, *program.inputs]
        ]
        with compiling_for("tpu"):
            made = jax.jit(program.function).trace(*given)
        text = made.lower(lowering_platforms=("tpu",)).as_text()
        found = [sorted(reading.callbacks(text)), sorted(reading.dynamic_shapes(text))]
        print(json.dumps([name, step.name, len(text), *found]))
"""
QUICK = ("forecasting",)  # JAX could not make this one at all
SLOW = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in NAMES
]


def lowered_on_jax(*names):
    import os

    process = subprocess.run(
        [sys.executable, "-c", ON_JAX, *names],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return [json.loads(line) for line in process.stdout.splitlines()]


@pytest.mark.parametrize("name", SLOW)
def test_jax_lowers_all_steps_for_a_tpu(name):
    found = lowered_on_jax(name)
    assert found[0][1] == "train" and len(found) > 1
    for _, step, size, callbacks, dynamic in found:
        assert size > 1000 and not callbacks and not dynamic, step


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="what TensorFlow makes of a step"
)
@pytest.mark.parametrize("name", SLOW)
def test_tensorflow_lowers_all_steps(name):
    from tasks.tpu.from_tensorflow import stablehlo_of

    for step in steps_of(TASKS[name][0](), 4, 8):
        text = stablehlo_of(step)
        assert "stablehlo." in text
        assert not reading.callbacks(text), step.name
        assert not reading.dynamic_shapes(text), step.name


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's way to Python"
)
def test_python_in_a_step_is_no_program():
    import tensorflow as tf

    from tasks.tpu.from_tensorflow import stablehlo_of

    def step(x):
        return tf.numpy_function(lambda x: x, [x], tf.float32)

    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    with pytest.raises(ValueError, match="PyFunc"):
        stablehlo_of(Step("bad", Input((4, 3), "float32"), step, dense))


class TestSizes:
    def test_are_filled_up(self):
        assert [filled(n, 128) for n in (1, 128, 129)] == [128, 128, 256]

    def test_matrices_are_told_most_padding_first(self):
        made = [
            keras.Variable(keras.ops.zeros(shape), name=name)
            for name, shape in {
                "few": (10, 13),
                "many": (1000, 64),
                "fits": (9, 256),
                "vector": (13,),
            }.items()
        ]
        told = [(path.split("/")[-1], size, part) for path, size, part in awkward(made)]
        assert told == [("many", 64, 0.5), ("few", 13, 1 - 13 / 128)]

    @pytest.mark.parametrize("chips, rows, padding", [(1, 20, 1 / 6), (2, 10, 0.375)])
    def test_rows_are_those_of_a_chip(self, chips, rows, padding):
        dense = keras.layers.Dense(64, name="dense")
        dense.build((None, 3))
        step = Step("x", {"x": Input((20, 3), "float32")}, None, dense)
        found = waste_of(step, chips)
        assert found["rows"] == rows
        assert found["rows_padding"] == pytest.approx(padding)
        assert found["features"] == [
            {"weight": "dense/kernel", "features": 64, "padding": 0.5}
        ]


class TestUntrained:
    def test_every_task_can_be_made(self):
        assert set(NAMES) == set(TASKS)

    def test_has_the_size_that_was_asked_for(self):
        made = untrained("text_classification", {"units": 24, "vocabulary": 77})
        assert made.options["units"] == 24
        assert made.model.get_layer("word_embedding").input_dim == 77

    def test_unknown_tasks_get_the_nearest(self):
        with pytest.raises(ValueError, match="no task 'translator'.*'translation'"):
            untrained("translator", {})

    def test_unknown_options_get_the_nearest(self):
        with pytest.raises(ValueError, match="unit.*Did you mean 'units'"):
            untrained("ner", {"unit": 3})


def test_backends_are_those_that_lower():
    assert set(BACKENDS) == {"jax", "tensorflow"}
