"""Scores of classifiers: accuracy, F1, and whether probabilities can be believed."""

import numpy as np


def classification_scores(truth, probabilities, bins=15):
    """Scores of answers with probabilities.

    Args:
        truth: Integer array `(examples,)`, the right classes.
        probabilities: `(examples, classes)`.
        bins: Number of bins of the calibration error.

    Returns:
        Dict of floats, fractions of 1 where no unit is named: `"accuracy"`, `"f1"`
        (mean over the classes that are there or were answered), `"loss"` (negative
        log-likelihood in nats) and `"calibration_error"`.

    Raises:
        ValueError: If there are no examples, or the shapes do not fit.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, "float64")
    if not len(truth) or probabilities.shape[:1] != truth.shape:
        raise ValueError(
            "Expected at least one example and a row of probabilities for each. "
            f"Received shapes: {truth.shape}, {probabilities.shape}"
        )
    answers = probabilities.argmax(1)
    right = probabilities[np.arange(len(truth)), truth]
    return {
        "accuracy": float(np.mean(answers == truth)),
        "f1": macro_f1(truth, answers),
        "loss": float(-np.mean(np.log(np.maximum(right, 1e-12)))),
        "calibration_error": calibration_error(
            probabilities.max(1), answers == truth, bins
        ),
    }


def macro_f1(truth, answers):
    """Mean F1 of the classes that are there or were answered."""
    truth, answers = np.asarray(truth), np.asarray(answers)
    found = []
    for label in np.union1d(truth, answers):
        true, said = truth == label, answers == label
        found.append(2 * np.sum(true & said) / (np.sum(true) + np.sum(said)))
    return float(np.mean(found))


def calibration_error(confidence, correct, bins=15):
    """Expected calibration error: how far confidence and accuracy lie apart.

    Answers are put into bins of equal width by their confidence; the error is the
    mean over all answers of the distance in their bin.

    Args:
        confidence: `(examples,)`, probabilities of the answers.
        correct: Boolean `(examples,)`.
        bins: Number of bins.

    Reference:
        - Guo et al., [On calibration of modern neural networks](
          https://arxiv.org/abs/1706.04599), 2017
    """
    confidence = np.asarray(confidence, "float64")
    correct = np.asarray(correct, "float64")
    # Bins are open on the left, as in the paper; 0 joins the first one.
    place = np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(int)
    gap = np.bincount(place, confidence - correct, bins)
    return float(np.sum(np.abs(gap)) / len(confidence))


def best_temperature(truth, logits):
    """The temperature that makes probabilities fit best, by their likelihood.

    Args:
        truth: Integer array `(examples,)`.
        logits: `(examples, classes)`; they are divided by the temperature.

    Returns:
        float from 0.05 to 20.
    """
    truth, logits = np.asarray(truth), np.asarray(logits, "float64")

    def loss(log_temperature):
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(1, keepdims=True)
        total = np.log(np.exp(scaled).sum(1))
        return np.mean(total - scaled[np.arange(len(truth)), truth])

    # The loss is convex in 1 / temperature: one valley, found by sections.
    low, high = np.log(0.05), np.log(20.0)
    for _ in range(60):
        a, b = low + (high - low) * 0.382, low + (high - low) * 0.618
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))
