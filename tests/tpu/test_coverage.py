"""Every operation of a step has a kernel where XLA compiles it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tasks.tpu import coverage
from tasks.tpu.steps import Input, Step, steps_of
from tasks.tpu.untrained import NAMES
from tests.distributed import ROOT, TASKS

OWN = os.environ.get("ZOO_TENSORFLOW_TPU")
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a table of TensorFlow's"
)


def step_of(function):
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    return Step("x", Input((4, 3), "float32"), function, dense)


@needs_tensorflow
class TestTable:
    def test_the_usual_build_has_that_of_cpus(self):
        assert coverage.table() == "XLA_CPU_JIT"

    def test_what_xla_cannot_do_is_missing(self):
        coverage.table()
        kinds = ["MatMul", "StringLower", "EagerPyFunc", "While"]
        assert coverage.missing(kinds, "XLA_CPU_JIT") == ["EagerPyFunc", "StringLower"]

    def test_operations_of_loops_count(self):
        import tensorflow as tf

        step = step_of(
            lambda x: tf.while_loop(
                lambda i, x: i < 3, lambda i, x: (i + 1, tf.math.lgamma(x)), (0, x)
            )[1]
        )
        assert "Lgamma" in coverage.operations_of(step)


@needs_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_of_a_task_has_kernels(name):
    device = coverage.table()
    for step in steps_of(TASKS[name][0](), 4, 8):
        kinds = coverage.operations_of(step)
        assert len(kinds) > 5
        assert not coverage.missing(kinds, device), step.name


@pytest.mark.slow
@pytest.mark.skipif(
    not OWN,
    reason="set ZOO_TENSORFLOW_TPU to a folder: pip install --target FOLDER --no-deps "
    "tensorflow-tpu==2.20.0",
)
@pytest.mark.parametrize("name", NAMES)
def test_all_of_a_task_has_kernels_on_a_tpu(name):
    assert Path(OWN).is_dir()
    # JAX, imported here, tells where its own libtpu is, which is not TensorFlow's.
    inherited = {k: v for k, v in os.environ.items() if k != "TPU_LIBRARY_PATH"}
    process = subprocess.run(
        [sys.executable, "-m", "tasks.tpu.coverage", name],
        cwd=ROOT,
        env={
            **inherited,
            "PYTHONPATH": os.pathsep.join([OWN, str(ROOT)]),
            "TPU_SKIP_MDS_QUERY": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(lines) > 1, process.stderr[-2000:]
    assert {line["table"] for line in lines} == {"XLA_TPU_JIT"}
    assert not any(line["missing"] for line in lines)
    assert process.returncode == 0
