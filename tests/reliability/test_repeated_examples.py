"""Presets give the answers that they show: in a fresh process, by XLA, on JAX."""

import json

import pytest

from tests.task_contract import run_python
from tests.zoo.test_shipped_presets import NAMES, assert_alike
from zoo.hub import PRESETS

pytestmark = pytest.mark.slow
REPEAT = """
import json, sys
import keras
import zoo

if sys.argv[2] == "xla":
    from zoo.lazy import tf
    tf.config.optimizer.set_jit("autoclustering")
task = zoo.load(sys.argv[1])
if sys.argv[2] == "xla":
    task.model.compile(jit_compile=True)
print(json.dumps([keras.backend.backend(), task.examples()]))
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["fresh", "xla", "jax"])
def test_a_preset_repeats_its_examples(name, how, monkeypatch):
    backend = "jax" if how == "jax" else "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", backend)
    process = run_python(REPEAT, name, how, timeout=1500)
    assert process.returncode == 0, process.stderr[-2000:]
    used, found = json.loads(process.stdout.splitlines()[-1])
    assert used == backend
    wanted = json.loads((PRESETS / name / "examples.json").read_text("utf-8"))
    assert_alike(found, wanted)
