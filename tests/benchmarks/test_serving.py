"""The benchmark of serving asks what it says it asks."""

import pytest

import zoo
from tests.benchmark_scripts import load


@pytest.fixture(scope="module")
def serving():
    return load("serving")


def test_its_models_are_shipped(serving):
    assert set(serving.MODELS.values()) <= set(zoo.list_models())


def test_requests_differ_and_come_again(serving):
    for task in serving.MODELS:
        first, second = (list(map(str, serving.requests(task, 3, 1))) for _ in "ab")
        assert first == second and len(set(first)) == 3


def test_every_answer_is_timed(serving, monkeypatch):
    asked = []
    monkeypatch.setattr(zoo, "load", lambda name: name)
    monkeypatch.setattr(
        serving, "answer", lambda model, task, given: asked.append(len(given))
    )
    found = serving.serve("ner", 32, 0.001)
    warm = 2 * len(serving.SENTENCES)
    assert set(asked) == {32} and len(asked) == warm + found["calls"]
    assert found["median_ms"] <= found["p99_ms"]
    assert found["requests_per_second"] > 0


def test_the_best_round_is_kept(serving):
    rounds = [{"requests_per_second": n} for n in (3, 7, 5)]
    best = serving.best({"ner": {"batch 1": rounds}})
    assert best == {"ner": {"batch 1": {"requests_per_second": 7}}}
