import numpy as np
from keras import ops

from zoo.ops.normalization import EPSILON, normalize, normalize_adjoint


class TestNormalize:
    def test_has_zero_mean_and_unit_variance(self):
        x = np.random.default_rng(0).normal(3, 5, (7, 6)).astype("float32")
        normal = ops.convert_to_numpy(normalize(ops.convert_to_tensor(x))[0])
        np.testing.assert_allclose(normal.mean(-1), 0, atol=1e-6)
        np.testing.assert_allclose(normal.var(-1), 1, atol=1e-5)

    def test_inverse_is_that_of_the_deviation(self):
        x = np.random.default_rng(0).normal(3, 5, (7, 6)).astype("float32")
        inverse = ops.convert_to_numpy(normalize(ops.convert_to_tensor(x))[1])
        expected = 1 / np.sqrt(x.var(-1, keepdims=True) + EPSILON)
        np.testing.assert_allclose(inverse, expected, rtol=1e-5)

    def test_adjoint_is_the_transposed_jacobian(self):
        rng = np.random.default_rng(1)
        x, upstream, direction = rng.normal(size=(3, 5, 4)).astype("float32")
        tensor = ops.convert_to_tensor

        def value(x):
            return float(ops.sum(normalize(tensor(x))[0] * tensor(upstream)))

        step = np.float32(1e-2)
        slope = (value(x + step * direction) - value(x - step * direction)) / 2e-2
        normal, inverse = normalize(tensor(x))
        found = normalize_adjoint(tensor(upstream), normal, inverse)
        found = (ops.convert_to_numpy(found) * direction).sum()
        np.testing.assert_allclose(found, slope, rtol=5e-3)
