"""From a model's outputs to arrays of series, steps and channels."""

import numpy as np
import pytest

from tasks.forecast.heads import get_head
from tasks.forecast.predictive import Predictive, in_shape, rows_compiled

RANDOM = np.random.default_rng(0)
LEVELS = [0.1, 0.5, 0.9]


def make(head="gaussian", channels=2, back=lambda values: values, linear=True):
    options = {"head": head, "quantiles": LEVELS, "channels": channels}
    return Predictive(None, get_head(head, LEVELS), options, back, linear)


def gaussian(rows=6, steps=4):
    return {
        "mean": RANDOM.normal(size=(rows, steps)),
        "std": RANDOM.uniform(0.1, 1, (rows, steps)),
    }


def test_channels_run_fastest():
    rows = np.arange(24.0).reshape(6, 4)  # three series of two channels
    found = in_shape(rows, (3, 2), 3)
    assert found.shape == (3, 3, 2)
    np.testing.assert_array_equal(found[1, :, 0], rows[2, :3])
    np.testing.assert_array_equal(found[1, :, 1], rows[3, :3])


def test_shapes_of_dicts_and_of_nothing():
    rows = np.arange(24.0).reshape(6, 4)
    assert in_shape(None, (3, 2), 4) is None
    found = in_shape({0.5: np.stack([rows, rows])}, (3, 2), 4)
    assert found[0.5].shape == (2, 3, 4, 2)


@pytest.mark.parametrize("rows, wanted", [(1, 1), (2, 8), (9, 64), (65, 100)])
def test_few_numbers_of_rows_are_compiled(rows, wanted):
    assert rows_compiled(rows, 100) == wanted


def test_every_channel_is_transformed_back_as_itself():
    factors = np.array([1.0, 100.0])
    outputs = gaussian()
    mean, quantiles, _ = make(back=lambda values: values * factors).read(
        outputs, LEVELS
    )
    np.testing.assert_allclose(mean[::2], outputs["mean"][::2])
    np.testing.assert_allclose(mean[1::2], 100 * outputs["mean"][1::2])
    spread = quantiles[0.9] - quantiles[0.1]
    wanted = 2 * 1.2815516 * outputs["std"]
    np.testing.assert_allclose(spread[1::2], 100 * wanted[1::2], rtol=1e-6)


def test_the_mean_of_what_is_transformed_back_is_its_own():
    outputs = {"mean": np.zeros((2, 3)), "std": np.full((2, 3), 0.5)}
    mean, quantiles, _ = make(back=np.exp, linear=False).read(outputs, LEVELS)
    np.testing.assert_allclose(mean, np.exp(0.125), rtol=0.01)  # log-normal
    np.testing.assert_allclose(quantiles[0.5], 1.0)


def test_samples_are_drawn_from_the_distribution():
    outputs = {"mean": np.full((2, 1), 3.0), "std": np.full((2, 1), 2.0)}
    *_, paths = make().read(outputs, LEVELS, 5000, np.random.default_rng(1))
    assert paths.shape == (5000, 2, 1)
    assert paths.mean() == pytest.approx(3, abs=0.1)
    assert paths.std() == pytest.approx(2, abs=0.1)


def test_points_cannot_be_drawn_from():
    with pytest.raises(ValueError, match='head="mae" gives points'):
        make("mae").read({"mean": np.zeros((2, 3))}, [], 3)


def test_paths_have_the_quantiles_of_their_steps():
    paths = RANDOM.normal(size=(6, 500, 4)).astype("float32")
    mean, quantiles, found = make().read({"samples": paths}, LEVELS)
    assert mean.shape == (6, 4) and found.shape == (500, 6, 4)
    np.testing.assert_allclose(quantiles[0.5], np.median(paths, 1), rtol=1e-6)
