"""The loss of connectionist temporal classification, against all its paths."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tests.zoo.ops.test_crf import value_and_gradient
from zoo.ops import ctc

TIME, LABELS = 5, 3
# With a repeat, that needs a blank; and padding, whose labels are never read.
TARGETS = np.array([[1, 2, 1], [1, 1, 2], [2, 2, 1], [1, 2, 2], [2, 1, 1], [1, 1, 1]]).T
LENGTHS = np.array([3, 2, 1, 0, 2, 0])


def arrays(seed=0):
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(TIME, len(LENGTHS), LABELS))
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    mask = np.ones((TIME, len(LENGTHS)), "float32")
    mask[3:, 1] = 0  # right padding
    mask[:2, 2] = 0  # left padding
    mask[[1, 2], 3] = 0  # a hole
    mask[[0, 3], 4] = 0  # both
    mask[:, 5] = 0  # an empty row
    return logits.astype("float32"), mask


def collapsed(path):
    """The text of a path: repeats joined, blanks dropped."""
    return [label for label, _ in itertools.groupby(path) if label]


def paths_of(logits, mask, row):
    """All paths that have the row's text, and their log-probabilities in float64."""
    steps = np.flatnonzero(mask[:, row])
    text = TARGETS[: LENGTHS[row], row].tolist()
    found = [
        path
        for path in itertools.product(range(LABELS), repeat=len(steps))
        if collapsed(path) == text
    ]
    x = logits[steps, row].astype("float64")
    scores = [sum(x[t, label] for t, label in enumerate(path)) for path in found]
    return steps, found, np.array(scores)


def tensors(*given):
    return [ops.convert_to_tensor(x) for x in given]


def total_loss(mask, weights):
    mask, targets, lengths, weights = tensors(mask, TARGETS, LENGTHS, weights)

    def function(logits):
        return ops.sum(ctc.ctc_loss(logits, mask, targets, lengths) * weights)

    return function


def test_the_loss_is_that_of_all_paths():
    logits, mask = arrays()
    found = ctc.ctc_loss(*tensors(logits, mask, TARGETS, LENGTHS))
    wanted = [
        -np.log(np.exp(paths_of(logits, mask, row)[2]).sum())
        for row in range(len(LENGTHS))
    ]
    np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, atol=1e-5)
    assert wanted[5] == 0


def test_the_gradient_is_the_posterior_of_all_paths():
    logits, mask = arrays()
    weights = np.linspace(0.5, 2.0, len(LENGTHS)).astype("float32")
    _, (found,) = value_and_gradient(total_loss(mask, weights), logits)
    wanted = np.zeros(logits.shape)
    for row in range(len(LENGTHS)):
        steps, paths, scores = paths_of(logits, mask, row)
        chances = np.exp(scores) / np.exp(scores).sum()
        for path, chance in zip(paths, chances, strict=True):
            for t, label in zip(steps, path, strict=True):
                wanted[t, row, label] -= weights[row] * chance
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_skipped_steps_are_never_read():
    logits, mask = arrays()
    weights = np.ones(len(LENGTHS), "float32")
    wanted = value_and_gradient(total_loss(mask, weights), logits)
    other = np.where(mask[..., None] > 0, logits, 77.0).astype("float32")
    found = value_and_gradient(total_loss(mask, weights), other)
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1][0], wanted[1][0])


def test_it_is_the_loss_of_keras():
    random = np.random.default_rng(1)
    logits = random.normal(size=(30, 4, 6)).astype("float32")
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    targets = random.integers(1, 6, (7, 4)).astype("int32")
    lengths, steps = np.array([7, 5, 1, 6]), np.array([30, 20, 9, 16])
    mask = (np.arange(30)[:, None] < steps).astype("float32")
    found = ctc.ctc_loss(*tensors(logits, mask, targets, lengths))
    wanted = ops.ctc_loss(
        targets.T, logits.swapaxes(0, 1), lengths.astype("int32"), steps.astype("int32")
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(wanted), rtol=1e-4
    )


def test_a_text_with_too_few_steps_costs_much_and_teaches_nothing():
    logits, _ = arrays()
    mask = np.zeros((TIME, len(LENGTHS)), "float32")
    mask[:3] = 1
    targets, lengths = tensors(TARGETS, LENGTHS)
    mask_tensor = ops.convert_to_tensor(mask)

    def function(logits):
        losses = ctc.ctc_loss(logits, mask_tensor, targets, lengths)
        return ops.sum(losses[2:3])

    # Row 2 wants "2 2 1": a blank between the first two.
    lengths = ops.convert_to_tensor(np.full(len(LENGTHS), 3))
    value, (gradient,) = value_and_gradient(function, logits)
    assert value > 1e8 and not gradient.any()


def test_the_best_alignment_is_the_likeliest_path():
    logits, mask = arrays(2)
    symbols, scores = ctc.best_alignment(*tensors(logits, mask, TARGETS, LENGTHS))
    symbols = ops.convert_to_numpy(symbols)
    for row in range(len(LENGTHS)):
        steps, paths, wanted = paths_of(logits, mask, row)
        best = paths[int(np.argmax(wanted))]
        text, got = TARGETS[:, row], symbols[:, row]
        assert (got[mask[:, row] == 0] == -1).all()
        assert [0 if s < 0 else text[s] for s in got[steps]] == list(best)
        assert np.diff(got[got >= 0]).min(initial=0) >= 0
        assert set(got[got >= 0]) == set(range(LENGTHS[row]))
        assert float(scores[row]) == pytest.approx(wanted.max(), abs=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="for its graphs")
def test_xla_compiles_it_with_its_gradient():
    import tensorflow as tf

    logits, mask = arrays()
    weights = np.ones(len(LENGTHS), "float32")
    function = total_loss(mask, weights)
    wanted = value_and_gradient(function, logits)
    compiled = tf.function(
        lambda x: value_and_gradient_graph(function, x), jit_compile=True
    )
    value, gradient = compiled(tf.constant(logits))
    np.testing.assert_allclose(value, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, wanted[1][0], atol=1e-6)


def value_and_gradient_graph(function, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return value, tape.gradient(value, x)
