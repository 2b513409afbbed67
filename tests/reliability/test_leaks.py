"""A task asked a thousand times, and loaded twenty times, holds what it held before."""

import json
import os

import pytest

from tests.task_contract import run_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="read from /proc"),
]

WATCH = """
import gc, json, os, sys, threading
import zoo

def held():
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "traces": traces(),
    }

def traces():
    function = getattr(task.model, "predict_function", None)
    count = getattr(function, "experimental_get_tracing_count", lambda: 0)
    return count()

name, what, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
task = zoo.load(name)
texts = ["Ada lived in London. " * (1 + n % 4) + "x" * n for n in range(20)]
series = [[float((n + 1) * t % 24) for t in range(120 + n)] for n in range(20)]
questions = series if task.task == "forecasting" else texts

def ask(n):
    if task.task == "forecasting":
        return task.answers_to([questions[n % 20]])
    return str(task.predict(questions[n % 20]))

def work(first, last):
    global task
    for n in range(first, last):
        if what != "ask":
            task = zoo.load(name)
        if what != "load":
            ask(n)

opened = []
work(0, max(40, times // 5) if what == "ask" else 5)
before = held()
sys.addaudithook(lambda event, given: opened.append(given[0]) if event == "open" else 0)
work(0, times)
after_files = [path for path in opened if isinstance(path, str)]
print(json.dumps([before, held(), after_files[:5]]))
"""


def watched(name, what, times):
    process = run_python(WATCH, name, what, times, timeout=3000)
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "name",
    [
        "ner_lstm_crf.wnut17_en",
        "text_classification_lstm.sst2_en",
        "forecasting_lstm.m4_hourly",
    ],
)
def test_a_thousand_answers(name, tried):
    before, after, opened = watched(name, "ask", 1000)
    assert after["memory"] < 1.05 * before["memory"]
    assert after["traces"] == before["traces"]
    assert after["files"] == before["files"]
    assert after["threads"] == before["threads"]
    assert opened == []
    growth = after["memory"] / before["memory"] - 1
    tried(1000, f"{name.partition('_')[0]}: memory {growth:+.1%} in 1,000 answers")


def test_twenty_loads(tried):
    before, after, _ = watched("forecasting_lstm.m4_hourly", "load", 20)
    assert after["memory"] < 1.05 * before["memory"]
    assert after["files"] == before["files"]
    assert after["threads"] == before["threads"]
    growth = after["memory"] / before["memory"] - 1
    tried(20, f"memory {growth:+.1%} in 20 loads")


@pytest.mark.xfail(
    strict=True,
    reason="20 loads with an answer each: missed, memory grows by more than 5 %, as "
    "TensorFlow keeps what XLA has compiled after its model is gone",
)
def test_twenty_loads_with_an_answer_each(tried):
    before, after, _ = watched("forecasting_lstm.m4_hourly", "load and ask", 20)
    assert after["files"] == before["files"]
    assert after["threads"] == before["threads"]
    assert after["memory"] < 1.05 * before["memory"]
    tried(20)
