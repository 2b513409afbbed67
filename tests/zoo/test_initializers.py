import keras
import numpy as np
import pytest

from tests.backend import numbers
from zoo.initializers import IRNN, SpectralRadius


def draw(initializer, *shape, **options):
    return numbers(initializer(shape, **options))[0]


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


class TestSpectralRadius:
    @pytest.mark.parametrize("units", [1, 2, 50])
    @pytest.mark.parametrize("wanted", [0.1, 0.95, 1.2])
    def test_is_what_was_asked_for(self, wanted, units):
        matrix = draw(SpectralRadius(wanted, seed=1), units, units)
        np.testing.assert_allclose(radius(matrix), wanted, rtol=1e-4)

    def test_zero(self):
        assert not draw(SpectralRadius(0.0), 5, 5).any()

    def test_each_gate_has_a_matrix_of_its_own(self):
        gates = np.split(draw(SpectralRadius(0.9, seed=1), 10, 30), 3, 1)
        for gate in gates:
            np.testing.assert_allclose(radius(gate), 0.9, rtol=1e-4)
        assert (gates[0] != gates[1]).all() and (gates[1] != gates[2]).all()

    def test_density(self):
        matrix = draw(SpectralRadius(0.9, density=0.1, seed=1), 200, 200)
        part = (matrix != 0).mean()
        assert abs(part - 0.1) < 5 * np.sqrt(0.1 * 0.9 / matrix.size)
        np.testing.assert_allclose(radius(matrix), 0.9, rtol=1e-3)

    def test_without_eigenvalues(self):
        with pytest.raises(ValueError, match="no eigenvalue but zero"):
            SpectralRadius(density=1e-9, seed=1)((4, 4))

    def test_seeds(self):
        same = [draw(SpectralRadius(seed=3), 4, 4) for _ in range(2)]
        np.testing.assert_array_equal(*same)
        assert (draw(SpectralRadius(seed=4), 4, 4) != same[0]).all()
        free = [draw(SpectralRadius(), 4, 4) for _ in range(2)]
        assert (free[0] != free[1]).all()
        fixed = []
        for _ in range(2):
            keras.utils.set_random_seed(7)
            fixed.append(draw(SpectralRadius(), 4, 4))
        np.testing.assert_array_equal(*fixed)

    @pytest.mark.parametrize("option", [{"radius": -1}, {"radius": np.nan}])
    def test_bad_radius(self, option):
        with pytest.raises(ValueError, match="`radius` must be a number >= 0"):
            SpectralRadius(**option)

    @pytest.mark.parametrize("density", [0, -0.5, 1.5, np.nan])
    def test_bad_density(self, density):
        with pytest.raises(ValueError, match="`density` must be above 0"):
            SpectralRadius(density=density)


class TestIRNN:
    def test_is_the_identity_times_a_gain(self):
        np.testing.assert_array_equal(draw(IRNN(), 4, 4), np.eye(4))
        np.testing.assert_array_equal(draw(IRNN(0.5), 4, 4), 0.5 * np.eye(4))

    def test_each_gate_is_one(self):
        np.testing.assert_array_equal(draw(IRNN(), 2, 4), np.tile(np.eye(2), 2))


@pytest.mark.parametrize(
    "initializer", [SpectralRadius(0.8, density=0.5, seed=1), IRNN(0.3)]
)
class TestBoth:
    def test_saves_and_loads(self, initializer):
        config = keras.initializers.serialize(initializer)
        again = keras.initializers.get(config)
        assert type(again) is type(initializer)
        assert again.get_config() == initializer.get_config()
        np.testing.assert_array_equal(draw(again, 6, 6), draw(initializer, 6, 6))

    @pytest.mark.parametrize("shape", [(4,), (4, 6), (3, 4, 4), (0, 4), (4, 0)])
    def test_shapes_that_are_no_recurrent_kernels(self, initializer, shape):
        with pytest.raises(ValueError, match="initialises recurrent kernels"):
            initializer(shape)

    @pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
    def test_dtypes(self, initializer, dtype):
        matrix = initializer((4, 4), dtype=dtype)
        assert keras.backend.standardize_dtype(matrix.dtype) == dtype
