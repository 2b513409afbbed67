import itertools

import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops import crf

BACKEND = keras.backend.backend()
TIME, BATCH, TAGS = 5, 6, 3


def arrays(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = (TIME, BATCH, TAGS), (TAGS, TAGS), (TAGS,), (TAGS,)
    logits, transitions, start, end = (
        (scale * rng.normal(size=shape)).astype("float32") for shape in shapes
    )
    mask = np.ones((TIME, BATCH), "float32")
    mask[3:, 1] = 0  # right padding
    mask[:2, 2] = 0  # left padding
    mask[[1, 2], 3] = 0  # a hole
    mask[[0, 2, 4], 4] = 0  # all three
    mask[:, 5] = 0  # an empty row
    return logits, mask, transitions, start, end


def enumerate_paths(logits, mask, transitions, start, end, row):
    """All paths of one row, closed over its holes, and their scores in float64."""
    x = logits[mask[:, row] > 0, row].astype("float64")
    paths = list(itertools.product(range(TAGS), repeat=len(x)))
    scores = []
    for path in paths:
        score = sum(x[t, tag] for t, tag in enumerate(path))
        score += sum(transitions[i, j] for i, j in itertools.pairwise(path))
        if path:
            score += start[path[0]] + end[path[-1]]
        scores.append(score)
    return paths, np.array(scores, "float64")


def log_sum(scores):
    peak = np.max(scores)
    return peak + np.log(np.sum(np.exp(scores - peak)))


def brute_partition(*args):
    return np.array([log_sum(enumerate_paths(*args, r)[1]) for r in range(BATCH)])


def brute_gradient(*args):
    """Expected counts under the posterior: of tags, moves, first and last tags."""
    logits, mask, transitions, start, end = args
    counts = [np.zeros(x.shape) for x in (logits, transitions, start, end)]
    for row in range(BATCH):
        steps = np.flatnonzero(mask[:, row])
        paths, scores = enumerate_paths(*args, row)
        for path, chance in zip(paths, np.exp(scores - log_sum(scores)), strict=True):
            for t, tag in zip(steps, path, strict=True):
                counts[0][t, row, tag] += chance
            for i, j in itertools.pairwise(path):
                counts[1][i, j] += chance
            if path:
                counts[2][path[0]] += chance
                counts[3][path[-1]] += chance
    return counts


def value_and_gradient(function, *args):
    """Value of `function(*args)`, a scalar, and its gradients on any backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        args = [tf.constant(a) for a in args]
        with tf.GradientTape() as tape:
            tape.watch(args)
            value = function(*args)
        return value.numpy(), [g.numpy() for g in tape.gradient(value, args)]
    if BACKEND == "jax":
        import jax

        value, grads = jax.value_and_grad(function, tuple(range(len(args))))(*args)
        return np.asarray(value), [np.asarray(g) for g in grads]
    import torch

    args = [torch.tensor(a, requires_grad=True) for a in args]
    value = function(*args)
    return value.detach().numpy(), [g.numpy() for g in torch.autograd.grad(value, args)]


def total_partition(mask, weights=None):
    mask = ops.convert_to_tensor(mask)
    weights = ops.ones_like(mask[0]) if weights is None else weights
    weights = ops.convert_to_tensor(weights)

    def function(logits, transitions, start, end):
        totals = crf.log_partition(logits, mask, transitions, start, end)
        return ops.sum(totals * weights)

    return function


def run(function, *args):
    return ops.convert_to_numpy(function(*[ops.convert_to_tensor(a) for a in args]))


def wide(*args):
    """The same problem with a move that costs so much that sums turn to logs."""
    args = list(args)
    args[2] = args[2].copy()
    args[2][0, 1] = -200.0
    return args


@pytest.mark.parametrize("change", [lambda *a: a, wide], ids=["narrow", "wide"])
class TestAgainstAllPaths:
    def test_partition(self, change):
        args = change(*arrays())
        np.testing.assert_allclose(
            run(crf.log_partition, *args), brute_partition(*args), rtol=1e-5, atol=1e-5
        )

    def test_gradient(self, change):
        logits, mask, *weights = change(*arrays())
        _, got = value_and_gradient(total_partition(mask), logits, *weights)
        for g, want in zip(got, brute_gradient(logits, mask, *weights), strict=True):
            np.testing.assert_allclose(g, want, rtol=1e-5, atol=1e-5)

    def test_marginals(self, change):
        args = change(*arrays())
        want = brute_gradient(*args)[0]
        np.testing.assert_allclose(run(crf.marginals, *args), want, atol=1e-5)

    def test_best_path(self, change):
        args = change(*arrays())
        tags, best = crf.best_path(*[ops.convert_to_tensor(a) for a in args])
        tags, best = ops.convert_to_numpy(tags), ops.convert_to_numpy(best)
        for row in range(BATCH):
            paths, scores = enumerate_paths(*args, row)
            inside = args[1][:, row] > 0
            assert tuple(tags[inside, row]) == paths[int(np.argmax(scores))]
            assert not tags[~inside, row].any()
            np.testing.assert_allclose(best[row], np.max(scores), rtol=1e-5, atol=1e-5)

    def test_path_scores(self, change):
        logits, mask, *weights = change(*arrays())
        tags = np.random.default_rng(1).integers(0, TAGS, (TIME, BATCH)).astype("int32")
        got = run(crf.path_scores, logits, tags, mask, *weights).sum(axis=0)
        for row in range(BATCH):
            paths, scores = enumerate_paths(logits, mask, *weights, row)
            path = tuple(tags[mask[:, row] > 0, row])
            want = scores[paths.index(path)]
            np.testing.assert_allclose(got[row], want, rtol=1e-5, atol=1e-5)


class TestGradient:
    def test_weighs_rows_by_what_comes_from_above(self):
        logits, mask, *weights = arrays()
        above = np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.0], "float32")
        _, got = value_and_gradient(total_partition(mask, above), logits, *weights)
        _, plain = value_and_gradient(total_partition(mask), logits, *weights)
        np.testing.assert_allclose(got[0], plain[0] * above[:, None], atol=1e-5)
        rows = [
            value_and_gradient(total_partition(mask, row), logits, *weights)[1][1]
            for row in np.diag(above)
        ]
        np.testing.assert_allclose(got[1], sum(rows), atol=1e-5)

    def test_of_the_offsets_is_minus_one(self):
        args = [ops.convert_to_tensor(a) for a in arrays()]
        offsets = np.ones((TIME, BATCH), "float32")
        value, (got,) = value_and_gradient(
            lambda offsets: ops.sum(crf.log_partition(*args, offsets)), offsets
        )
        np.testing.assert_array_equal(got, -1.0)
        want = brute_partition(*arrays()).sum() - offsets.sum()
        np.testing.assert_allclose(value, want, rtol=1e-5)

    @pytest.mark.skipif(BACKEND == "jax", reason="float64 is off by default on JAX")
    def test_equals_finite_differences_in_float64(self):
        logits, mask, *weights = (a.astype("float64") for a in arrays())
        function = total_partition(mask)
        point = [logits, *weights]
        _, got = value_and_gradient(function, *point)
        rng = np.random.default_rng(0)
        ways = [rng.normal(size=a.shape) for a in point]
        high, low = (
            float(run(function, *[a + e * w for a, w in zip(point, ways, strict=True)]))
            for e in (1e-5, -1e-5)
        )
        want = sum(np.sum(g * w) for g, w in zip(got, ways, strict=True))
        np.testing.assert_allclose((high - low) / 2e-5, want, rtol=1e-7)


class TestExtremes:
    def test_a_forbidden_move_out_of_the_likeliest_tag(self):
        # exp() of the second-best tag is 0 in float32, but it is the only way on.
        logits = np.zeros((2, 1, 2), "float32")
        logits[0, 0, 0] = logits[1, 0, 1] = 1e4
        transitions = np.array([[0, -1e6], [0, 0]], "float32")
        zeros, mask = np.zeros(2, "float32"), np.ones((2, 1), "float32")
        got = run(crf.log_partition, logits, mask, transitions, zeros, zeros)
        np.testing.assert_allclose(got, [1e4 + np.log(2)], rtol=1e-6)

    def test_moves_of_minus_infinity(self):
        logits, mask, transitions, start, end = arrays()
        transitions[:, 1], start[1] = -np.inf, -np.inf
        got = run(crf.marginals, logits, mask, transitions, start, end)
        assert np.isfinite(got).all() and not got[..., 1].any()
        args = logits[..., ::2], mask, transitions[::2, ::2], start[::2], end[::2]
        np.testing.assert_allclose(got[..., ::2], run(crf.marginals, *args), atol=1e-6)
        _, grads = value_and_gradient(
            total_partition(mask), logits, transitions, start, end
        )
        assert all(np.isfinite(g).all() for g in grads)

    @pytest.mark.parametrize("scale", [1e4, 1e-4])
    def test_large_and_small_scores_stay_finite(self, scale):
        logits, mask, *weights = arrays(scale=scale)
        value, grads = value_and_gradient(total_partition(mask), logits, *weights)
        want = brute_partition(logits, mask, *weights).sum()
        np.testing.assert_allclose(value, want, rtol=1e-5)
        assert all(np.isfinite(g).all() for g in grads)

    def test_nan_at_skipped_steps_is_not_read(self):
        logits, mask, *weights = arrays()
        dirty = np.where(mask[:, :, None] > 0, logits, np.nan).astype("float32")
        value, grads = value_and_gradient(total_partition(mask), logits, *weights)
        got, dirty_grads = value_and_gradient(total_partition(mask), dirty, *weights)
        np.testing.assert_array_equal(got, value)
        for a, b in zip(dirty_grads, grads, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_long_chains_keep_their_digits(self):
        # Both sums are near 200,000, where float32 counts in steps of 0.016.
        _, _, *weights = arrays()
        rng = np.random.default_rng(0)
        logits = rng.normal(1000, 3, size=(200, 1, TAGS)).astype("float32")
        mask = np.ones((200, 1), "float32")
        tags = rng.integers(0, TAGS, (200, 1)).astype("int32")
        parts = run(crf.path_scores, logits, tags, mask, *weights)
        got = run(crf.log_partition, logits, mask, *weights, parts)

        transitions, start, end = weights
        message = start + logits[0, 0].astype("float64")
        for x in logits[1:, 0]:
            joint = message[:, None] + transitions
            message = np.array([log_sum(column) for column in joint.T]) + x
        want = log_sum(message + end) - parts.sum(dtype="float64")
        np.testing.assert_allclose(got, [want], atol=2e-3)
