"""Factors of dropout: as rare, as large and as random as they should be."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops.dropout import dropout_mask


def drawn(rate, shape=(300, 400), seed=3, dtype="float32"):
    mask = dropout_mask(rate, shape, keras.random.SeedGenerator(seed), dtype)
    return ops.convert_to_numpy(mask)


@pytest.mark.parametrize("rate", [0.003, 0.1, 0.5, 0.9])
def test_zeros_have_the_rate_and_the_rest_makes_up_for_them(rate):
    masks = np.stack([drawn(rate, seed=seed) for seed in range(20)])
    kept = np.float32(1 / (1 - rate))
    assert set(np.unique(masks)) == {np.float32(0), kept}
    # A mask's own rate is a multiple of 1/256, drawn so that its mean is the rate.
    assert abs((masks == 0).mean() - rate) < 0.002


def test_nothing_is_dropped_or_all():
    assert (drawn(0.0) == 1).all()
    assert (drawn(1.0) == 0).all()


def test_rows_and_columns_are_independent():
    mask = drawn(0.5) - 1
    for axis in (0, 1):
        near = np.roll(mask, 1, axis)
        assert abs((mask * near).mean()) < 0.01
    assert np.abs(mask.mean(0)).max() < 0.3 and np.abs(mask.mean(1)).max() < 0.3


def test_draws_differ_and_seeds_repeat_them():
    generator = keras.random.SeedGenerator(3)
    first, second = (
        ops.convert_to_numpy(dropout_mask(0.5, (30, 40), generator)) for _ in range(2)
    )
    assert (first != second).any()
    np.testing.assert_array_equal(first, drawn(0.5, (30, 40)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_has_the_dtype_asked_for(dtype):
    mask = dropout_mask(0.5, (2, 3), keras.random.SeedGenerator(1), dtype)
    assert keras.backend.standardize_dtype(mask.dtype) == dtype
    assert tuple(mask.shape) == (2, 3)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="shapes are known elsewhere"
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_rows_may_be_known_late(jit_compile):
    import tensorflow as tf

    generator = keras.random.SeedGenerator(1)

    @tf.function(
        input_signature=[tf.TensorSpec((None, 5), "float32")], jit_compile=jit_compile
    )
    def masked(x):
        return x * dropout_mask(0.5, ops.shape(x), generator)

    for rows in (1, 7):
        found = masked(tf.ones((rows, 5))).numpy()
        assert found.shape == (rows, 5) and set(np.unique(found)) <= {0, 2}
