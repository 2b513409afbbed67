"""Searches over the zoo's own tasks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tuning
from tuning.sources import task_classes

ROOT = Path(__file__).parents[2]
TIME = np.arange(160)
SERIES = np.sin(2 * np.pi * TIME / 12) + 0.1 * np.random.default_rng(0).normal(size=160)
SMALL = {"horizon": 4, "context_length": [8, 12], "units": [2, 4], "epochs": 1}
SCORE = """
import sys
import numpy as np
import zoo
task = zoo.load(sys.argv[1])
series = np.array([float(x) for x in sys.argv[2].split()])
print(task.evaluate(series)["skill"])
"""
ON_JAX = """
import sys
import keras
import numpy as np
import tuning
assert keras.backend.backend() == "jax"
series = np.array([float(x) for x in sys.argv[2].split()])
result = tuning.search(
    "forecasting", series[:100], series[90:], trials=2, algorithm="random", reruns=1,
    overrides={
        "horizon": 4, "context_length": 8, "architecture": "direct", "layer": "gru",
        "units": [2, 4], "num_layers": 1, "epochs": 1,
    },
    directory=sys.argv[1], verbose=0,
)
print([record.status for record in result.trials.records])
print(result.best.evaluate(series[90:])["skill"])
"""
WORDS = [(["Ada", "lives", "here"], ["B-person", "O", "O"])] * 6 + [
    (["it", "rains", "in", "Rome"], ["O", "O", "O", "B-place"])
] * 6
TEXTS = [("good and nice", "yes"), ("bad and sad", "no")] * 6
PAIRS = [("good day", "guten Tag"), ("good night", "gute Nacht")] * 8
# A low and a high tone; pairs of samples and rate, with a text.
SOUNDS = [
    ((np.sin(np.arange(4000) * pitch) * 0.3, 8000), text)
    for pitch, text in ((0.3, "a"), (1.5, "b"))
] * 6
PROSE = "to be or not to be, that is the question. " * 12
# What makes a model of each task small, with one thing left to search.
TINY = {
    "forecasting": (
        list(SERIES[:100]),
        list(SERIES[100:]),
        {"horizon": 4, "context_length": 8, "architecture": "direct", "layer": "gru"},
    ),
    "ner": (WORDS, WORDS[3:9], {"char_encoder": None, "embedding_dim": 4}),
    "text_classification": (TEXTS, TEXTS[:6], {"layer": "gru", "embedding_dim": 4}),
    "language_modeling": (
        PROSE,
        PROSE[:200],
        {"layer": "gru", "embedding_dim": 4, "chunk": 10, "batch_size": 2},
    ),
    "speech_recognition": (
        SOUNDS,
        SOUNDS[:4],
        {
            "sample_rate": 8000,
            "num_mels": 16,
            "layer": "gru",
            "normalization": "corpus",
        },
    ),
    "translation": (
        PAIRS,
        PAIRS[:4],
        {"vocabulary_size": 60, "embedding_dim": 4, "encoder_layer": "gru"},
    ),
}


def forecasts(directory, trials, **options):
    return tuning.search(
        "forecasting",
        SERIES[:100],
        SERIES[90:],
        trials=trials,
        directory=directory,
        overrides={**SMALL, "architecture": "direct", "layer": "gru"},
        algorithm="random",
        reruns=0,
        verbose=0,
        **options,
    )


@pytest.mark.slow
def test_the_best_forecaster_scores_the_same_in_a_fresh_process(tmp_path):
    result = forecasts(tmp_path / "s", 2)
    held = SERIES[90:]
    expected = result.best.evaluate(held)["skill"]
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            SCORE,
            result.directory / "best",
            " ".join(map(str, held)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert float(found.stdout.split()[-1]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_search_on_jax_whose_best_scores_alike_on_tensorflow(tmp_path):
    pytest.importorskip("jax")
    series = " ".join(map(str, SERIES))

    def run(code, backend, *arguments):
        process = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert process.returncode == 0, process.stderr[-2000:]
        return process.stdout.splitlines()[-2:]

    folder = tmp_path / "s"
    states, skill = run(ON_JAX, "jax", folder, series)
    assert states == "['done', 'done']"
    held = " ".join(map(str, SERIES[90:]))
    again = run(SCORE, "tensorflow", folder / "best", held)[-1]
    assert float(again) == pytest.approx(float(skill), abs=1e-4)


@pytest.mark.slow
def test_contexts_of_several_lengths_are_scored_on_the_same_windows(tmp_path):
    result = forecasts(tmp_path / "s", 3)
    longest = [r for r in result.trials.records if r.values["context_length"] == 12]
    shorter = [r for r in result.trials.records if r.values["context_length"] == 8]
    assert longest and shorter
    task = tuning.sources.FromData(type(result.best)).make(
        SERIES, {"horizon": 4, "context_length": 8}
    )
    held = tuning.sources.validation_for(
        task, SERIES[90:], tuning.plan.Plan.from_identity(_identity(result)).space
    )
    assert len(held.values[0]) == len(SERIES[90:]) - 4


def _identity(result):
    return json.loads((result.directory / "search.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(TINY))
def test_every_task_can_be_searched(task, tmp_path):
    train, held, overrides = TINY[task]
    result = tuning.search(
        task,
        train,
        held,
        trials=1,
        directory=tmp_path / "s",
        overrides={
            "epochs": 1,
            "units": 4,
            "num_layers": 1,
            "clipnorm": 1.0,
            **overrides,
        },
        reruns=0,
        verbose=0,
    )
    assert len(result.trials) == 1 and result.trials.records[0].error is None
    assert result.values["units"] == result.best.options["units"] == 4
    assert result.objective.name in result.trials[0]


def test_every_task_is_looked_at_here():
    # Captioners take pictures, and a net that was trained on others.
    assert set(task_classes()) - {"captioning"} == set(TINY)
