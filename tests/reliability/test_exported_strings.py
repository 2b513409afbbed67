"""Strings to strings where only TensorFlow is, with its text operations and without."""

import json

import pytest

import zoo
from tests.task_contract import run_python

pytestmark = pytest.mark.slow
NAME = "translation_lstm_attention.multi30k_en_de"
TEXTS = ["A man rides a red bicycle.", "", "Two dogs play in the snow."]
SERVE = """
import json, sys
import tensorflow as tf
if sys.argv[3] == "with":
    import tensorflow_text
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
found = serve(texts=tf.constant(json.loads(sys.argv[2])))
assert "zoo" not in sys.modules  # keras comes with tensorflow_text
print(json.dumps([text.decode() for text in found["text"].numpy().tolist()]))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    task = zoo.load(NAME)
    folder = tmp_path_factory.mktemp("export") / "model"
    task.export(folder, beam_width=2)
    return folder, [result.text for result in task.predict(TEXTS, beam_width=2)]


def test_a_shipped_translator_is_served_by_tensorflow_alone(exported):
    folder, wanted = exported
    process = run_python(SERVE, folder, json.dumps(TEXTS), "with")
    assert process.returncode == 0, process.stderr[-2000:]
    assert json.loads(process.stdout.splitlines()[-1]) == wanted


def test_without_its_text_operations_the_missing_one_is_named(exported):
    folder, _ = exported
    process = run_python(SERVE, folder, json.dumps(TEXTS), "without")
    assert process.returncode != 0
    assert "Op type not registered" in process.stderr
    assert "Sentencepiece" in process.stderr
