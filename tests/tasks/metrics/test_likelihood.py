"""The mean loss of tokens, without what is padding."""

import numpy as np
import pytest

from tasks.metrics.likelihood import mean_loss


class Model:
    """Answers what it was made with, batch after batch."""

    def __init__(self, logits):
        self.logits = iter(logits)

    def predict_on_batch(self, inputs):
        assert set(inputs) == {"target_mask"}
        return {"logits": next(self.logits)}


def test_it_is_the_mean_over_all_tokens_of_all_batches():
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (2, 3, 4, 5)).astype("float32")
    targets = random.integers(0, 5, (2, 3, 4))
    mask = random.random((2, 3, 4)) < 0.6
    batches = [
        ({"targets": t, "target_mask": m}, None)
        for t, m in zip(targets, mask, strict=True)
    ]
    chances = np.exp(logits.astype("float64"))
    chances /= chances.sum(-1, keepdims=True)
    right = np.take_along_axis(chances, targets[..., None], -1)[..., 0]
    assert mean_loss(Model(logits), batches) == pytest.approx(
        -np.log(right[mask]).mean()
    )


def test_large_logits_do_not_overflow():
    logits = np.array([[[[5000.0, 0.0]]]], "float32")
    batch = {"targets": np.array([[1]]), "target_mask": np.array([[True]])}
    assert mean_loss(Model(logits), [(batch, None)]) == pytest.approx(5000)
