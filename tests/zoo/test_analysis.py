"""What is found inside of a layer, against closed forms and finite differences."""

import sys

import numpy as np
import pytest
from keras import ops

import zoo
from tests.backend import differentiate, double, numbers
from zoo import analysis
from zoo.layers import Recurrent, ZoneoutLSTM
from zoo.layers.gru import GRU
from zoo.layers.ind_rnn import IndRNN
from zoo.layers.ntm import NTM
from zoo.layers.qrnn import QRNN


@pytest.fixture(autouse=True)
def in_double_precision():
    with double():
        yield


class Map(Recurrent):
    """h[t] = f(h[t-1]) + x[t], with `f` as an argument."""

    def __init__(self, units, function, **kwargs):
        super().__init__(units, dtype="float64", **kwargs)
        self.function = function

    def build(self, input_shape):
        self.built = True

    def scan(self, inputs, mask, state, training):
        (h,), outputs = state, []
        for t in range(inputs.shape[0]):
            h = self.function(h) + inputs[t]
            outputs.append(h)
        return ops.stack(outputs), (h,)


def linear(matrix, **kwargs):
    """h[t] = h[t-1] A^T + x[t], so that A is its Jacobian."""
    matrix = np.array(matrix, "float64")
    return Map(len(matrix), lambda h: h @ ops.convert_to_tensor(matrix.T), **kwargs)


def similar(values, seed=0):
    """A matrix with these eigenvalues, which is not normal."""
    basis = np.random.default_rng(seed).normal(size=(len(values), len(values)))
    return basis @ np.diag(values) @ np.linalg.inv(basis)


def some_data(batch=3, time=7, features=4, seed=0):
    """Inputs, and a mask with left padding, a hole and an empty row."""
    inputs = np.random.default_rng(seed).normal(size=(batch, time, features))
    mask = np.ones((batch, time), bool)
    mask[0, :2] = mask[1, 3] = mask[1, 6] = mask[-1] = False
    return inputs, mask


def with_weights(layer, inputs):
    layer.build(inputs.shape)
    random = np.random.default_rng(2)
    layer.set_weights([random.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def lstm(inputs, **options):
    layer = ZoneoutLSTM(3, return_sequences=True, dtype="float64", **options)
    return with_weights(layer, inputs)


def before(layer, states):
    """States of the step before, from those of all steps."""
    if layer.reverse:
        return np.concatenate([states[:, 1:], np.zeros_like(states[:, :1])], 1)
    return np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], 1)


def weighted(shape):
    """A loss in which every output has a weight of its own."""
    weights = np.random.default_rng(3).normal(size=shape)
    return lambda y: ops.sum(y * y * ops.convert_to_tensor(weights))


class TestGradientNorms:
    @pytest.mark.parametrize("u", [0.9, -1.1])
    def test_of_a_linear_scalar_recurrence(self, u):
        found = analysis.gradient_norms(linear([[u]]), np.ones((2, 6, 1)))
        wanted = np.abs(u) ** np.arange(6, 0, -1)
        np.testing.assert_allclose(found, np.tile(wanted, (2, 1)), rtol=1e-12)

    def test_of_a_layer_that_runs_in_reverse(self):
        layer = linear([[0.5]], reverse=True)
        found = analysis.gradient_norms(layer, np.ones((1, 4, 1)))
        np.testing.assert_allclose(found[0], [0.5, 0.25, 0.125, 0.0625])

    @pytest.mark.parametrize("reverse", [False, True])
    def test_equal_those_of_the_whole_layer(self, reverse):
        inputs, mask = some_data()
        layer = lstm(inputs, reverse=reverse, zoneout_h=0.2, zoneout_c=0.4)
        loss = weighted((3, 7, 3))
        state = [np.zeros((3, 3))] * 2
        whole = differentiate(layer, inputs, mask, state, loss=lambda y: loss(y[0]))
        found = analysis.gradient_norms(layer, inputs, loss, wrt="inputs", mask=mask)
        np.testing.assert_allclose(found, np.linalg.norm(whole.inputs, axis=-1))
        first = -1 if reverse else 0
        found = analysis.gradient_norms(layer, inputs, loss, mask=mask)[:, first]
        wanted = np.linalg.norm(np.concatenate(whole.state, -1), axis=-1)
        np.testing.assert_allclose(found, wanted)
        assert (wanted[:2] > 0).all()

    @pytest.mark.parametrize(
        "layer",
        [
            GRU(3, zoneout_h=0.2, return_sequences=True, dtype="float64"),
            IndRNN(3, time_steps=7, return_sequences=True, dtype="float64"),
            QRNN(3, window=3, zoneout=0.1, return_sequences=True, dtype="float64"),
        ],
        ids=lambda layer: type(layer).__name__,
    )
    def test_of_other_layers(self, layer):
        inputs, mask = some_data()
        loss, layer = weighted((3, 7, 3)), with_weights(layer, inputs)
        state = [np.zeros((3, n)) for n in layer.state_sizes]
        whole = differentiate(layer, inputs, mask, state, loss=lambda y: loss(y[0]))
        found = analysis.gradient_norms(layer, inputs, loss, wrt="inputs", mask=mask)
        np.testing.assert_allclose(
            found, np.linalg.norm(whole.inputs, axis=-1), atol=1e-12
        )
        assert (found > 0).any()

    def test_masked_steps_hold_them(self):
        mask = np.array([[True, False, False, True]])
        found = analysis.gradient_norms(linear([[0.5]]), np.ones((1, 4, 1)), mask=mask)
        np.testing.assert_allclose(found, [[0.25, 0.5, 0.5, 0.5]])

    def test_unknown_variable(self):
        with pytest.raises(ValueError, match="'state' or 'inputs'"):
            analysis.gradient_norms(linear([[1.0]]), np.ones((1, 2, 1)), wrt="weights")


class TestJacobians:
    def test_of_a_linear_recurrence(self):
        matrix = [[0.5, 2.0], [0.0, -0.3]]
        found = analysis.step_jacobians(linear(matrix), np.ones((2, 3, 2)))
        np.testing.assert_allclose(found, np.broadcast_to(matrix, (2, 3, 2, 2)))

    def test_equal_finite_differences(self):
        inputs, _ = some_data(batch=2)
        layer, t, step = lstm(inputs, zoneout_c=0.3), 4, 1e-6
        start = np.random.default_rng(5).normal(size=(2, 6))
        split = [start[:, :3], start[:, 3:]]
        found = analysis.step_jacobians(layer, inputs[:, t:], initial_state=split)[:, 0]

        def after(state):
            _, new = layer.step(inputs[:, t], [state[:, :3], state[:, 3:]])
            return np.concatenate(numbers(new), -1)

        for j in range(6):
            moved = step * np.eye(6)[j]
            wanted = (after(start + moved) - after(start - moved)) / (2 * step)
            np.testing.assert_allclose(found[:, :, j], wanted, atol=1e-8)

    def test_masked_steps_are_the_identity(self):
        inputs, mask = some_data()
        found = analysis.step_jacobians(lstm(inputs), inputs, mask=mask)
        identity = (found == np.eye(6)).all((2, 3))
        np.testing.assert_array_equal(identity, ~mask)

    def test_state_moves_along_the_sequence(self):
        """h² has the Jacobian 2h: from 3 without inputs 6, then 18."""
        layer = Map(1, lambda h: h * h)
        start = [np.full((1, 1), 3.0)]
        found = analysis.step_jacobians(layer, np.zeros((1, 2, 1)), initial_state=start)
        np.testing.assert_allclose(found.ravel(), [6, 18])

    def test_spectrum_falls(self):
        values = [0.2, -1.5, 0.7]
        layer = linear(similar(values))
        found = analysis.jacobian_spectrum(layer, np.zeros((2, 3, 3)))
        wanted = np.broadcast_to([-1.5, 0.7, 0.2], (2, 3, 3))
        np.testing.assert_allclose(found, wanted, atol=1e-12)


class TestLyapunov:
    def test_of_a_linear_recurrence(self):
        """Logarithms of the moduli of the eigenvalues."""
        values = [1.2, -0.9, 0.5, 0.1]
        found = analysis.lyapunov_exponents(
            linear(similar(values)), np.zeros((2, 150, 4)), skip=100
        )
        wanted = np.log(np.abs(values))
        np.testing.assert_allclose(found, np.tile(wanted, (2, 1)), atol=1e-9)

    def test_of_complex_eigenvalues(self):
        """A rotation that shrinks: both exponents are the logarithm of its factor."""
        c, s = 0.8 * np.cos(0.7), 0.8 * np.sin(0.7)
        layer = linear([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.1]])
        found = analysis.lyapunov_exponents(layer, np.zeros((1, 200, 3)), skip=100)
        np.testing.assert_allclose(found[0], np.log([1.1, 0.8, 0.8]), atol=1e-9)

    def test_of_chaos(self):
        """The logistic map 4 h (1 - h) doubles disturbances on average."""
        layer = Map(1, lambda h: 4 * h * (1 - h))
        start = [np.array([[0.3], [0.61]])]
        found = analysis.lyapunov_exponents(
            layer, np.zeros((2, 1500, 1)), initial_state=start
        )
        np.testing.assert_allclose(found, np.log(2), atol=0.01)

    def test_the_largest_alone(self):
        layer, inputs = linear(np.diag([0.1, 0.5, 2.0])), np.zeros((1, 80, 3))
        found = analysis.lyapunov_exponents(layer, inputs, count=1, skip=60)
        np.testing.assert_allclose(found, [[np.log(2)]], atol=1e-9)

    def test_masked_steps_do_not_count(self):
        layer, inputs = linear(similar([1.5, 0.5])), np.zeros((2, 120, 2))
        mask = np.ones((2, 120), bool)
        mask[0, ::3] = mask[1, :20] = False
        found = analysis.lyapunov_exponents(layer, inputs, skip=50, mask=mask)
        np.testing.assert_allclose(found, np.log([[1.5, 0.5]] * 2), atol=1e-9)

    def test_an_empty_row_has_none(self):
        mask = np.array([[True] * 3, [False] * 3])
        found = analysis.lyapunov_exponents(
            linear([[2.0]]), np.zeros((2, 3, 1)), mask=mask
        )
        np.testing.assert_allclose(found, [[np.log(2)], [np.nan]])

    def test_what_is_wiped_out(self):
        layer = linear(np.zeros((2, 2)))
        found = analysis.lyapunov_exponents(layer, np.zeros((1, 3, 2)))
        assert np.isneginf(found).all()

    @pytest.mark.parametrize("options", [{"count": 0}, {"count": 2}, {"skip": 3}])
    def test_bad_options(self, options):
        (name,) = options
        with pytest.raises(ValueError, match=f"`{name}` must"):
            analysis.lyapunov_exponents(linear([[1.0]]), np.zeros((1, 3, 1)), **options)


class TestGates:
    @pytest.mark.parametrize(
        "options",
        [
            {"reverse": True},
            {"layer_norm": True},
            {"peepholes": True},
            {"projection": 2},
        ],
    )
    def test_of_an_lstm_make_its_states(self, options):
        inputs, mask = some_data()
        layer = lstm(inputs, **options)
        found = analysis.gates(layer, inputs, mask=mask)
        hidden, cell = found["hidden"], found["cell"]
        shown = numbers(layer(inputs, mask=mask))[0]
        np.testing.assert_allclose(hidden, shown, atol=1e-12)
        new = (
            found["forget"] * before(layer, cell) + found["input"] * found["candidate"]
        )
        np.testing.assert_allclose(cell[mask], new[mask], atol=1e-12)
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        if layer.layer_norm:
            centred = cell - cell.mean(-1, keepdims=True)
            deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
            cell = centred / deviation * weights["cell_gain"] + weights["cell_bias"]
        made = found["output"] * np.tanh(cell)
        if layer.projection:
            made = made @ weights["projection_kernel"]
        np.testing.assert_allclose(hidden[mask], made[mask], atol=1e-12)

    @pytest.mark.parametrize("reset_after", [True, False])
    @pytest.mark.parametrize("use_bias", [True, False])
    def test_of_a_gru_make_its_states(self, reset_after, use_bias):
        inputs, mask = some_data()
        layer = GRU(3, reset_after=reset_after, use_bias=use_bias, dtype="float64")
        found = analysis.gates(with_weights(layer, inputs), inputs, mask=mask)
        hidden, update = found["hidden"], found["update"]
        wanted = update * before(layer, hidden) + (1 - update) * found["candidate"]
        np.testing.assert_allclose(hidden[mask], wanted[mask], atol=1e-12)
        assert ((found["reset"] > 0) & (found["reset"] < 1)).all()

    def test_a_layer_without_gates(self):
        with pytest.raises(ValueError, match="no gates .*ZoneoutLSTM"):
            analysis.gates(linear([[1.0]]), np.zeros((1, 2, 1)))


class TestWeightings:
    def test_of_a_turing_machine(self):
        inputs, mask = some_data()
        layer = NTM(3, memory_slots=5, read_heads=2)
        found = analysis.weightings(layer, inputs.astype("float32"), mask=mask)
        assert list(found) == ["read 1", "read 2", "write 1"]
        read, _ = layer.weightings(inputs.astype("float32"), mask=mask)
        np.testing.assert_allclose(found["read 2"], numbers(read)[0][:, :, 1])
        np.testing.assert_allclose(found["write 1"].sum(-1), 1, rtol=1e-5)

    def test_a_layer_without_memory(self):
        with pytest.raises(ValueError, match="no memory .*NTM"):
            analysis.weightings(linear([[1.0]]), np.zeros((1, 2, 1)))


class TestBadInput:
    def test_a_layer_without_steps(self):
        layer = zoo.layers.CRF(3)
        with pytest.raises(ValueError, match="CRF has no `step`"):
            analysis.gradient_norms(layer, np.zeros((1, 2, 3)))

    def test_shapes(self):
        layer = linear([[1.0]])
        with pytest.raises(ValueError, match=r"\(batch, time, features\).*\(2, 1\)"):
            analysis.gradient_norms(layer, np.zeros((2, 1)))
        with pytest.raises(ValueError, match=r"mask .*\(2, 3\).*\(3, 2\)"):
            analysis.gradient_norms(
                layer, np.zeros((2, 3, 1)), mask=np.ones((3, 2), bool)
            )


class TestPlots:
    @pytest.fixture(autouse=True)
    def need_matplotlib(self):
        pytest.importorskip("matplotlib")

    @pytest.fixture
    def layer(self):
        return linear(similar([0.9, 0.5]))

    def test_gradient_norms(self, layer, tmp_path):
        norms = analysis.gradient_norms(layer, np.zeros((2, 5, 2)))
        figure = analysis.plot_gradient_norms([norms, 2 * norms], ["one", "two"])
        (axis,) = figure.axes
        first, second = (line.get_ydata() for line in axis.lines)
        np.testing.assert_allclose(first, np.median(norms, 0))
        np.testing.assert_allclose(second, 2 * first)
        assert axis.get_yscale() == "log"
        figure.savefig(tmp_path / "plot.png")

    def test_one_without_labels(self, layer):
        norms = analysis.gradient_norms(layer, np.zeros((2, 5, 2)))
        (axis,) = analysis.plot_gradient_norms(norms).axes
        assert len(axis.lines) == 1
        assert axis.get_legend() is None

    def test_spectrum(self, layer, tmp_path):
        values = analysis.jacobian_spectrum(layer, np.zeros((2, 5, 2)))
        figure = analysis.plot_spectrum(values, row=1)
        points = figure.axes[0].collections[0].get_offsets()
        np.testing.assert_allclose(points[:2, 0], [0.9, 0.5])
        np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), [0.9] * 5)
        figure.savefig(tmp_path / "plot.png")

    def test_lyapunov(self, tmp_path):
        figure = analysis.plot_lyapunov(np.array([[0.5, -np.inf], [0.1, -np.inf]]))
        (axis,) = figure.axes
        np.testing.assert_allclose(axis.lines[0].get_ydata()[0], 0.3)
        (text,) = axis.get_legend().get_texts()
        assert text.get_text() == "exponents (1 more at −∞)"
        figure.savefig(tmp_path / "plot.png")

    def test_gates(self, tmp_path):
        inputs, _ = some_data()
        found = analysis.gates(lstm(inputs), inputs)
        figure = analysis.plot_gates(found, row=1)
        images = {
            axis.get_title(): axis.images[0] for axis in figure.axes[: len(found)]
        }
        assert set(images) == set(found)
        for name, image in images.items():
            np.testing.assert_array_equal(image.get_array(), found[name][1].T)
        assert images["forget"].get_clim() == (0, 1)
        low, high = images["cell"].get_clim()
        assert low == -high
        figure.savefig(tmp_path / "plot.png")

    def test_heat_map(self):
        figure = analysis.plot_heat_map(np.eye(3), "Weights", "slot", (0, 2))
        axis = figure.axes[0]
        assert (axis.get_title(), axis.get_ylabel()) == ("Weights", "slot")
        assert axis.images[0].get_clim() == (0, 2)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install"):
        analysis.plot_heat_map(np.eye(2))
