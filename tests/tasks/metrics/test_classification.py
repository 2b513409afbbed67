"""Scores of classifiers, against other implementations and closed forms."""

import numpy as np
import pytest

from tasks.metrics.classification import (
    best_temperature,
    calibration_error,
    classification_scores,
    macro_f1,
)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_f1_equals_that_of_scikit_learn(random):
    metrics = pytest.importorskip("sklearn.metrics")
    truth, answers = random.integers(0, 5, (2, 300))
    wanted = metrics.f1_score(truth, answers, average="macro")
    assert macro_f1(truth, answers) == pytest.approx(wanted)


def test_scores_of_a_small_example():
    truth = [0, 1, 1, 0]
    probabilities = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]
    scores = classification_scores(truth, probabilities)
    assert scores["accuracy"] == 0.75
    assert scores["f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    wanted = -np.mean(np.log([0.9, 0.8, 0.4, 0.7]))
    assert scores["loss"] == pytest.approx(wanted)


def test_honest_probabilities_have_no_calibration_error(random):
    confidence = random.uniform(0.5, 1, 200_000)
    correct = random.uniform(size=200_000) < confidence
    assert calibration_error(confidence, correct) < 0.01
    assert calibration_error(np.full(10, 0.9), np.zeros(10)) == pytest.approx(0.9)
    assert calibration_error([1.0, 0.5], [True, False]) == pytest.approx(0.25)


def test_the_temperature_that_made_the_logits_is_found(random):
    logits = random.normal(size=(20_000, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (chances.cumsum(1) < random.uniform(size=(20_000, 1))).sum(1)
    assert best_temperature(truth, logits * 3) == pytest.approx(3, rel=0.05)
    assert best_temperature(truth, logits / 2) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("truth, rows", [([], 0), ([0, 1], 3)])
def test_shapes_that_do_not_fit_are_refused(truth, rows):
    with pytest.raises(ValueError, match="at least one"):
        classification_scores(truth, np.ones((rows, 2)) / 2)
