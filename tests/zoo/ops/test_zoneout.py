import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops.zoneout import mix, unmix, zoneout_mask

SHAPE = (40, 30, 20)


def draw(rate, shape=SHAPE, seed=3):
    return ops.convert_to_numpy(
        zoneout_mask(rate, shape, keras.random.SeedGenerator(seed))
    )


class TestZoneoutMask:
    # 0.001 and 0.3 are no multiples of 1/256.
    @pytest.mark.parametrize("rate", [0.001, 0.05, 0.3, 0.5, 0.95])
    def test_holds_at_the_rate(self, rate):
        mask = np.stack([draw(rate, seed=seed) for seed in range(8)])
        # Units of a step share a threshold that is rounded by less than 1/256.
        spread = np.sqrt(rate * (1 - rate) / mask.size) + 1 / 512 / np.sqrt(8 * 40)
        assert abs(mask.mean() - rate) < 4 * spread

    @pytest.mark.parametrize("rate, held", [(0.0, False), (1.0, True)])
    def test_extreme_rates_are_exact(self, rate, held):
        assert (draw(rate) == held).all()

    @pytest.mark.parametrize("shape", [(3, 1, 2), (2, 6, 1), (4, 7, 5)])
    def test_any_number_of_units_works(self, shape):
        mask = draw(0.5, shape)
        assert mask.shape == shape and mask.dtype == bool

    @pytest.mark.parametrize("axis", range(3))
    def test_neighbours_are_independent(self, axis):
        mask = draw(0.5).astype("float64")
        near = np.moveaxis(mask, axis, 0)
        a, b = near[1:].ravel(), near[:-1].ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)

    def test_units_of_one_random_integer_are_independent(self):
        mask = draw(0.5).astype("float64")
        for gap in (1, 2, 5, 10, 15):  # five integers make the twenty units of a row
            a, b = mask[..., gap:].ravel(), mask[..., :-gap].ravel()
            assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)

    def test_calls_differ(self):
        seed = keras.random.SeedGenerator(3)
        first, second = (
            ops.convert_to_numpy(zoneout_mask(0.5, SHAPE, seed)) for _ in range(2)
        )
        assert abs((first == second).mean() - 0.5) < 0.02

    def test_a_seed_repeats(self):
        np.testing.assert_array_equal(draw(0.5, seed=7), draw(0.5, seed=7))


class TestMixture:
    def test_holds_and_mixes(self):
        old, new = ops.convert_to_tensor([1.0, 1.0]), ops.convert_to_tensor([5.0, 5.0])
        hold = ops.convert_to_tensor([True, False])
        mixed = ops.convert_to_numpy(mix(old, new, hold, 0.25))
        np.testing.assert_allclose(mixed, [1, 4])

    def test_without_hold_and_rate_it_is_new(self):
        new = ops.convert_to_tensor([5.0])
        assert mix(None, new, None, 0.0) is new

    def test_the_gradient_goes_where_the_values_came_from(self):
        hold = ops.convert_to_tensor([True, False])
        new, old = unmix(ops.convert_to_tensor([8.0, 8.0]), hold, 0.25)
        np.testing.assert_allclose(ops.convert_to_numpy(new), [0, 6])
        np.testing.assert_allclose(ops.convert_to_numpy(old), [8, 2])
