"""Heads: losses held against likelihoods, samples against quantiles."""

import keras
import numpy as np
import pytest
from keras import ops

from tasks.forecast.heads import HEADS, get_head
from tasks.forecast.likelihoods import log_gamma

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
RANDOM = np.random.default_rng(0)
LEVELS = [0.1, 0.3, 0.5, 0.8, 0.9]
LOCATION = np.array([[10.0], [0.0], [-3.0]], "float32")
SCALE = np.array([[2.0], [0.5], [7.0]], "float32")


def raw_for(head):
    return RANDOM.normal(size=(3, 5, head.size)).astype("float32")


def outputs(head, raw, location=LOCATION, scale=SCALE):
    found = head.outputs(ops.convert_to_tensor(raw), location, scale)
    return {k: ops.convert_to_numpy(v).astype("float64") for k, v in found.items()}


def loss(head, raw, target, scale=SCALE):
    return ops.convert_to_numpy(head.loss(ops.convert_to_tensor(raw), target, scale))


@pytest.mark.parametrize("name", HEADS)
def test_shapes(name):
    head = get_head(name, LEVELS)
    raw = raw_for(head)
    assert loss(head, raw, np.ones((3, 5), "float32")).shape == (3, 5)
    assert head.mean(outputs(head, raw)).shape == (3, 5)


@pytest.mark.parametrize("name", HEADS[:4])
def test_quantiles_rise_with_their_level(name):
    head = get_head(name, LEVELS)
    found = outputs(head, raw_for(head))
    values = np.stack([head.quantile(found, q) for q in (0.1, 0.4, 0.5, 0.7, 0.9)])
    assert (np.diff(values, axis=0) >= 0).all()


def test_the_log_of_the_gamma_function():
    special = pytest.importorskip("scipy.special")
    x = np.concatenate([[1e-3, 0.1, 0.5, 1, 2], RANDOM.uniform(0, 50, 200)])
    # JAX has no float64 unless it is asked to.
    dtype = "float32" if keras.backend.backend() == "jax" else "float64"
    close = 1e-4 if dtype == "float32" else 1e-9
    found = ops.convert_to_numpy(log_gamma(ops.convert_to_tensor(x, dtype)))
    np.testing.assert_allclose(found, special.gammaln(x), rtol=close, atol=close)


def test_gaussian_loss_is_the_likelihood():
    stats = pytest.importorskip("scipy.stats")
    head, target = get_head("gaussian"), RANDOM.normal(size=(3, 5)).astype("float32")
    raw = raw_for(head)
    found = outputs(head, raw, 0.0, 1.0)
    wanted = -stats.norm.logpdf(target, found["mean"], found["std"])
    np.testing.assert_allclose(loss(head, raw, target), wanted, rtol=1e-4, atol=1e-5)


def test_student_loss_is_the_likelihood():
    stats = pytest.importorskip("scipy.stats")
    head, target = get_head("student_t"), RANDOM.normal(size=(3, 5)).astype("float32")
    raw = raw_for(head)
    found = outputs(head, raw, 0.0, 1.0)
    wanted = -stats.t.logpdf(
        target, found["freedom"], loc=found["mean"], scale=found["spread"]
    )
    np.testing.assert_allclose(loss(head, raw, target), wanted, rtol=1e-4, atol=1e-4)


def test_the_loss_of_counts_is_the_likelihood():
    stats = pytest.importorskip("scipy.stats")
    head = get_head("negative_binomial")
    raw, counts = raw_for(head), RANDOM.integers(0, 20, (3, 5))
    found = outputs(head, raw)
    shape = 1 / found["dispersion"]
    wanted = -stats.nbinom.logpmf(counts, shape, shape / (shape + found["mean"]))
    scaled = (counts / SCALE).astype("float32")
    np.testing.assert_allclose(loss(head, raw, scaled), wanted, rtol=1e-3, atol=1e-3)


def test_the_median_alone_has_the_absolute_error_as_loss():
    raw = RANDOM.normal(size=(3, 5, 1)).astype("float32")
    target = RANDOM.normal(size=(3, 5)).astype("float32")
    wanted = loss(get_head("mae"), raw, target)
    found = loss(get_head("quantiles", [0.5]), raw, target)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_pinball_loss_is_least_at_the_quantile():
    values = np.sort(RANDOM.normal(size=1001)).astype("float32")
    head = get_head("quantiles", [0.9])
    raws = np.linspace(0.5, 2, 61, dtype="float32")
    means = [
        loss(head, np.full((1, 1001, 1), r), values[None], 1.0).mean() for r in raws
    ]
    best = raws[int(np.argmin(means))]
    assert best == pytest.approx(np.quantile(values, 0.9), abs=0.05)


def test_crossed_quantiles_are_sorted():
    raw = np.array([[[3.0, 1.0, 2.0]]], "float32")
    found = outputs(get_head("quantiles", [0.1, 0.5, 0.9]), raw, 0.0, 1.0)
    np.testing.assert_array_equal(found["quantiles"], [[[1, 2, 3]]])


def test_levels_in_between_lie_on_a_line():
    head = get_head("quantiles", [0.1, 0.5, 0.9])
    found = {"quantiles": np.array([[[0.0, 4.0, 6.0]]])}
    assert head.quantile(found, 0.2)[0, 0] == pytest.approx(1.0)
    assert head.quantile(found, 0.5)[0, 0] == 4.0
    assert head.quantile(found, 1.0, extrapolate=True)[0, 0] == pytest.approx(6.5)


def test_levels_outside_are_refused():
    head = get_head("quantiles", [0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="from 0.1 to 0.9.*0.95"):
        head.quantile({"quantiles": np.zeros((1, 1, 3))}, 0.95)


@pytest.mark.parametrize("name", ["quantiles", "gaussian", "student_t"])
def test_samples_have_the_quantiles(name):
    head = get_head(name, LEVELS)
    raw = np.broadcast_to(raw_for(head)[:1, :1], (1, 40_000, head.size))
    if name == "quantiles":
        raw = np.sort(raw, -1)
    noise = RANDOM.uniform(1e-6, 1, (1, 40_000, 2)).astype("float32")
    drawn = ops.convert_to_numpy(head.sample(ops.convert_to_tensor(raw), noise))
    found = outputs(head, raw[:, :1], 0.0, 1.0)
    for level in (0.1, 0.5, 0.8):
        below = (drawn <= head.quantile(found, level)[0, 0]).mean()
        assert below == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("name", HEADS)
def test_large_and_small_numbers_have_finite_gradients(name):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow")
    import tensorflow as tf

    head = get_head(name, LEVELS)
    raw = tf.constant(RANDOM.normal(0, 30, (3, 5, head.size)), tf.float32)
    target = tf.constant(RANDOM.integers(0, 50, (3, 5)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        total = tf.reduce_sum(head.loss(raw, target, tf.ones((3, 1))))
    assert np.isfinite(total.numpy())
    assert np.isfinite(tape.gradient(total, raw).numpy()).all()


def test_unknown_heads_are_refused():
    with pytest.raises(ValueError, match="gaussian.*laplace"):
        get_head("laplace")


@pytest.mark.parametrize("levels", [[], [0.5, 0.1], [0.0, 0.5], [0.5, 0.5], [1.5]])
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(ValueError, match="increasing numbers between 0 and 1"):
        get_head("quantiles", levels)
