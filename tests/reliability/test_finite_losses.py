"""Every loss: finite, with its gradient, of nothing, of little, and of too much."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tasks.forecast.heads import HEADS, get_head
from tasks.losses import RowShare, token_losses
from tasks.sampled_softmax import SampledLosses
from zoo.layers import CRF

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs a tape"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

ROWS, WORDS = 3, 12
SCALES = {"float32": (0,), "float16": range(0, 32, 4), "bfloat16": (0,)}
CASES = {  # steps, largest number, whether steps count
    "no step": (5, 1.0, False),
    "one step": (1, 1.0, True),
    "1e4": (5, 1e4, True),
}
LONG = {"10,000 steps": (10_000, 1.0, True)}


def numbers(case, size):
    time, largest, there = {**CASES, **LONG}[case]
    random = np.random.default_rng(0)
    values = largest * random.normal(size=(ROWS, time, size)).astype("float32")
    mask = np.full((ROWS, time), there)
    mask[0] = False  # one row has nothing in any case
    return np.clip(values, -6e4, 6e4), mask, random


def tokens(smoothing):
    def loss(logits, mask, random):
        targets = random.integers(0, WORDS, mask.shape)
        losses = token_losses(ops.cast(logits, "float32"), targets, mask, smoothing)
        return RowShare()(losses, mask)

    return loss


def crf(logits, mask, random):
    tags = random.integers(0, WORDS, mask.shape)
    return CRF(WORDS).negative_log_likelihood(logits, tags, mask=mask)


def sampled(values, mask, random):
    head = layers.Dense(WORDS + 2)
    head.build((None, None, WORDS))
    layer = SampledLosses(head, WORDS + 2, 5)
    targets = random.integers(2, WORDS + 2, mask.shape)
    return layer(ops.cast(values, "float32"), targets, mask)


def forecast(name):
    def loss(raw, mask, random):
        head = get_head(name)
        raw = ops.cast(raw, "float32")[..., : head.size]
        # Counts have no sign; what is not there is any number, as in windows of data.
        target = np.abs(random.normal(size=mask.shape)).astype("float32")
        losses = ops.where(mask, head.loss(raw, target, np.ones((ROWS, 1), "f4")), 0.0)
        count = ops.sum(ops.cast(mask, "float32"), 1)
        return ops.sum(losses, 1) / ops.maximum(count, 1.0)

    return loss


LOSSES = {
    "tokens": tokens(0.0),
    "smoothed tokens": tokens(0.1),
    "CRF": crf,
    "sampled softmax": sampled,
    **{f"forecast by {name}": forecast(name) for name in HEADS},
}


def check(name, case, dtype):
    """Values of a loss and their gradient, all finite; the row with nothing costs 0."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    values, mask, random = numbers(case, WORDS)
    values = tf.cast(values, dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        losses = ops.cast(LOSSES[name](values, mask, random), "float32")
        # Under float16, training scales the loss down until no gradient overflows.
        totals = [ops.mean(losses) * 2.0**-n for n in SCALES[dtype]]
    assert np.isfinite(losses.numpy()).all()
    for total in totals:
        gradient = tf.cast(tape.gradient(total, values), "float32").numpy()
        if np.isfinite(gradient).all():
            break
    else:
        raise AssertionError("the gradient is not finite")
    assert not gradient[0].any() and not np.asarray(losses)[0].any()
    if mask.any():
        assert np.asarray(losses)[1:].any()


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", pytest.param("bfloat16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_stays_finite(name, dtype, tried):
    for case in CASES:
        check(name, case, dtype)
    tried(len(CASES))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", SCALES)
@pytest.mark.parametrize("name", LOSSES)
def test_ten_thousand_steps_stay_finite(name, dtype):
    check(name, "10,000 steps", dtype)
