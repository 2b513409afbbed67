import keras
import numpy as np
import pytest

from tests.backend import differentiate, numbers
from tests.contract import close, some_data
from zoo import regularizers
from zoo.layers import ZoneoutLSTM
from zoo.regularizers import SoftOrthogonal

PENALTIES = ("activation", "temporal_activation", "norm_stabilizer")


def by_hand(name, outputs, mask):
    """Row by row, step by step."""
    values = []
    for h, valid in zip(outputs.astype("float64"), mask, strict=True):
        if name == "activation":
            values += [(x**2).mean() for x in h[valid]]
        for t in range(len(h) - 1):
            if valid[t] and valid[t + 1]:
                if name == "temporal_activation":
                    values.append(((h[t + 1] - h[t]) ** 2).mean())
                if name == "norm_stabilizer":
                    norms = np.linalg.norm(h[t + 1]), np.linalg.norm(h[t])
                    values.append((norms[0] - norms[1]) ** 2)
    return np.mean(values)


@pytest.mark.parametrize("name", PENALTIES)
class TestPenaltiesOnOutputs:
    def run(self, name, outputs, mask=None):
        return float(numbers(getattr(regularizers, name)(outputs, mask))[0])

    def test_equals_the_equation(self, name):
        outputs, mask = some_data()
        every = np.ones_like(mask)
        np.testing.assert_allclose(
            self.run(name, outputs), by_hand(name, outputs, every), 1e-5
        )
        np.testing.assert_allclose(
            self.run(name, outputs, mask), by_hand(name, outputs, mask), 1e-5
        )

    def test_padding_is_invisible(self, name):
        outputs, mask = some_data()
        wanted = self.run(name, outputs, mask)
        outputs[~mask] = np.nan
        assert self.run(name, outputs, mask) == wanted

    def test_nothing_valid_costs_nothing(self, name):
        outputs, mask = some_data()
        assert self.run(name, outputs, np.zeros_like(mask)) == 0

    def test_a_single_step(self, name):
        outputs, _ = some_data(time=1)
        cost = self.run(name, outputs)
        assert (cost > 0) == (name == "activation")

    def test_half_precision_is_summed_in_float32(self, name):
        outputs = keras.ops.cast(some_data()[0], "bfloat16")
        cost = getattr(regularizers, name)(outputs)
        assert keras.backend.standardize_dtype(cost.dtype) == "float32"

    @pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 3, 4), (2, 3, 1)]])
    def test_wrong_ranks(self, name, shapes):
        with pytest.raises(ValueError, match="A penalty on outputs takes"):
            getattr(regularizers, name)(*(np.ones(s, "float32") for s in shapes))


class TestSoftOrthogonal:
    def test_equals_the_equation(self):
        kernel = np.random.default_rng(0).normal(size=(4, 12)).astype("float32")
        wanted = sum(
            ((u.T @ u - np.eye(4)) ** 2).sum() for u in np.split(kernel, 3, axis=1)
        )
        got = SoftOrthogonal(0.5, gates=3)(kernel)
        np.testing.assert_allclose(numbers(got)[0], 0.5 * wanted, 1e-5)

    @pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
    def test_blocks_that_are_not_square(self, shape):
        """Orthonormal rows or columns, whichever are fewer, cost nothing."""
        square, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
        kernel = square[: shape[0], : shape[1]].astype("float32")
        cost = SoftOrthogonal(1.0)(kernel)
        assert abs(numbers(cost)[0]) < 1e-10
        assert numbers(SoftOrthogonal(1.0)(2 * kernel))[0] > 1

    def test_training_makes_a_kernel_orthogonal(self):
        layer = ZoneoutLSTM(
            6,
            recurrent_initializer="random_normal",
            recurrent_regularizer=SoftOrthogonal(1.0, gates=4),
        )
        model = keras.Sequential([keras.Input((2, 3)), layer])
        model.compile(keras.optimizers.Adam(0.02), lambda y, x: 0 * x)
        x = np.ones((8, 2, 3), "float32")
        model.fit(x, np.zeros((8, 6)), epochs=150, verbose=0)
        for u in np.split(numbers(layer.recurrent_kernel)[0], 4, 1):
            np.testing.assert_allclose(u.T @ u, np.eye(6), atol=0.05)

    def test_config(self):
        layer = ZoneoutLSTM(3, recurrent_regularizer=SoftOrthogonal(0.2, gates=4))
        again = ZoneoutLSTM.from_config(layer.get_config()).recurrent_regularizer
        assert (again.factor, again.gates) == (0.2, 4)

    @pytest.mark.parametrize("factor", [-0.1, np.nan, np.inf, "1", True, None])
    def test_bad_factors(self, factor):
        with pytest.raises(ValueError, match="`factor` must be a number"):
            SoftOrthogonal(factor)

    @pytest.mark.parametrize("gates", [0, 1.0, True, None])
    def test_bad_gates(self, gates):
        with pytest.raises(ValueError, match="`gates` must be a positive integer"):
            SoftOrthogonal(gates=gates)

    @pytest.mark.parametrize("shape", [(4,), (4, 6), (2, 4, 4)])
    def test_bad_kernels(self, shape):
        with pytest.raises(ValueError, match=r"\(rows, 4 \* units\). Received"):
            SoftOrthogonal(gates=4)(np.ones(shape, "float32"))


def test_gradients_are_finite_where_outputs_are_zero():
    """A norm's own gradient would be NaN there."""
    inputs, _ = some_data()

    class Loss:
        trainable_variables = non_trainable_variables = ()

        def __call__(self, x, mask=None, initial_state=None, training=False):
            parts = [getattr(regularizers, name)(x, mask) for name in PENALTIES]
            return sum(parts)

        def stateless_call(self, trainable, fixed, x, **options):
            return self(x, options["mask"]), fixed

    zero = differentiate(Loss(), 0 * inputs).inputs
    close(zero, np.zeros_like(zero))
    assert differentiate(Loss(), inputs).inputs.all()
