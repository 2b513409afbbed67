"""Tasks asked from many threads at once, and from processes that were forked."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import zoo
from tests.task_contract import run_python

ROOT = Path(__file__).parents[2]
THREADS = 8
TEXTS = ["Ada lived in London. " * (1 + n % 3) + "x" * n for n in range(12)]
SERIES = [[float((n + 1) * t % 24) for t in range(120 + n)] for n in range(12)]
QUESTIONS = {
    "ner_lstm_crf.wnut17_en": TEXTS,
    "text_classification_lstm.sst2_en": TEXTS,
    "forecasting_lstm.m4_hourly": SERIES,
    "language_model_lstm.tiny_shakespeare_chars": TEXTS[:4],
    "translation_lstm_attention.multi30k_en_de": TEXTS[:4],
}
QUICK = "forecasting_lstm.m4_hourly"


def asked(task, question):
    """The answer, as plain values: those of one thread must be the same to the bit."""
    if task.task == "forecasting":
        return task.answers_to([question])
    if task.task == "language_modeling":
        said = task.generate(question, max_tokens=8, seed=3)
        return said.text, task.score(question).to_dict()
    return task.predict(question).to_dict()


def ask_from_threads(task, questions, rounds):
    """Answers of all threads, each of which asks in an order of its own."""
    answers, faults, start = [], [], threading.Barrier(THREADS)

    def work(number):
        try:
            start.wait(60)
            for turn in range(rounds * len(questions)):
                which = (number + turn) % len(questions)
                answers.append((which, asked(task, questions[which])))
        except Exception as error:  # noqa: BLE001, told below
            faults.append(repr(error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1200)
    assert not faults
    assert len(answers) == THREADS * rounds * len(questions)
    return answers


def check(name, rounds, tried):
    # A fresh model: the first calls, which trace and compile, come all at once.
    task, questions = zoo.load(name), QUESTIONS[name]
    answers = ask_from_threads(task, questions, rounds)
    wanted = [asked(task, question) for question in questions]
    for which, answer in answers:
        assert answer == wanted[which]
    tried(len(answers))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == QUICK else [pytest.mark.slow])
        for name in QUESTIONS
    ],
)
def test_threads_get_the_answers_of_one(name, tried):
    check(name, 1, tried)


@pytest.mark.slow
def test_threads_do_a_thousand_times(tried):
    check("ner_lstm_crf.wnut17_en", 11, tried)


@pytest.mark.slow
def test_a_fork_before_a_model_is_loaded_answers_alike(tried):
    process = run_python(
        """
import json, os, signal, sys
import keras, zoo, tasks.ner  # imported, as a server does before it forks

def answers(name, texts):
    return [r.to_dict() for r in zoo.load(name).predict(texts)]

name, texts = sys.argv[1], json.loads(sys.argv[2])
said = []
for child in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        signal.alarm(240)
        os.write(writing, json.dumps(answers(name, texts)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said.append(json.loads(pipe.read()))
    os.wait()
assert said == [answers(name, texts)] * 2
print("alike")
""",
        "ner_lstm_crf.wnut17_en",
        '["Ada lived in London.", "x"]',
        timeout=600,
    )
    assert process.stdout.endswith("alike\n"), process.stderr[-2000:]
    tried(2)


FORKED = """
import os, signal, sys
import zoo
from tasks.errors import RunError

name, use = sys.argv[1:]
task = zoo.load(name)
child = os.fork()
if child == 0:
    signal.alarm(60)  # it would hang
    try:
        if use == "load":
            zoo.load(name)
        elif use == "fit":
            task.fit([("Ada lives", [(0, 3, "person")])], epochs=1)
        elif use == "generate":
            task.generate("a", max_tokens=3)
        else:
            task.predict("Ada" if name[0] != "f" else [1.0, 2.0] * 60)
    except RunError as error:
        print(error, flush=True)
        os._exit(7)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(
    ("name", "use"),
    [
        (QUICK, "predict"),
        pytest.param("ner_lstm_crf.wnut17_en", "predict", marks=pytest.mark.slow),
        pytest.param("ner_lstm_crf.wnut17_en", "load", marks=pytest.mark.slow),
        pytest.param("ner_lstm_crf.wnut17_en", "fit", marks=pytest.mark.slow),
        pytest.param(
            "language_model_lstm.tiny_shakespeare_chars",
            "generate",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "translation_lstm_attention.multi30k_en_de",
            "predict",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_fork_after_a_model_is_loaded_is_refused_at_once(name, use):
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, name, use],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    message, code = process.stdout.splitlines()
    assert code == "7", process.stderr[-2000:]
    assert "was forked from one that had made a model" in message
    assert "'spawn'" in message
