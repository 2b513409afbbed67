"""What recurrent layers promise about numbers: precision, gradients, compilation."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, differentiate, double, loss_function, numbers
from tests.sequences import close, some_data


class NumericContract:
    """A part of `RecurrentContract`, which has the methods used here.

    Attributes:
        narrow: How far gradients in bfloat16 may be off, in parts of the largest.
    """

    narrow = 0.1

    @pytest.mark.parametrize(
        ("policy", "compute", "variable"),
        [
            ("mixed_bfloat16", "bfloat16", "float32"),
            ("bfloat16", "bfloat16", "bfloat16"),
            ("mixed_float16", "float16", "float32"),
        ],
    )
    def test_half_precision_keeps_states_in_float32(self, policy, compute, variable):
        layer = self.made(dtype=policy, return_state=True)
        (inputs, mask), state = some_data(), self.state(layer)
        outputs, *states = layer(inputs, mask=mask, initial_state=state)
        dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (outputs, *states)]
        assert dtypes == [compute] + ["float32"] * len(states)
        assert {w.dtype for w in layer.weights} == {variable}
        wanted, _, end = self.equation(layer, inputs, mask, state)
        close(numbers([outputs, *states]), [wanted, *end], 0.1)
        for x in states:
            x, rounded = numbers([x, ops.cast(x, compute)])
            assert (x != rounded)[:-1].mean() > 0.9, "the state was rounded"

    def test_gradients_in_bfloat16(self):
        wide, narrow = self.made(), self.made(dtype="mixed_bfloat16")
        (inputs, mask), state = some_data(), self.state(wide)
        mode = "eager" if BACKEND == "torch" else "jit"
        wanted = differentiate(wide, inputs, mask, state).gradients()
        got = differentiate(narrow, inputs, mask, state, mode=mode).gradients()
        for a, b in zip(got, wanted, strict=True):
            assert np.abs(a - b).max() < self.narrow * np.abs(b).max()

    def test_float64(self):
        with double():
            layer = self.made(dtype="float64", return_state=True)
            (inputs, mask), state = some_data("float64"), self.state(layer, "float64")
            got = self.run(layer, inputs, mask, state)
            wanted, _, end = self.equation(layer, inputs, mask, state)
        assert {x.dtype.name for x in got} == {"float64"}
        close(got, [wanted, *end], 1e-12)

    @pytest.mark.skipif(BACKEND == "torch", reason="no XLA on torch")
    def test_compiled_equals_eager(self):
        layer = self.made(return_state=True)
        (inputs, mask), state = some_data(), self.state(layer)
        eager = differentiate(layer, inputs, mask, state)
        compiled = differentiate(layer, inputs, mask, state, mode="jit")
        close(compiled.outputs, eager.outputs)
        close(compiled.gradients(), eager.gradients(), 1e-4)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="other shapes are known")
    @pytest.mark.parametrize("training", [False, True])
    def test_graph_with_unknown_sizes(self, training):
        layer = self.made(return_state=True, seed=3)
        (inputs, mask), state = some_data(), self.state(layer)
        seeds = [v.numpy() for v in layer.non_trainable_variables]
        eager = differentiate(layer, inputs, mask, state, training)
        for variable, value in zip(layer.non_trainable_variables, seeds, strict=True):
            variable.assign(value)
        graph = differentiate(layer, inputs, mask, state, training, mode="graph")
        close(graph.outputs, eager.outputs)
        close(graph.gradients(), eager.gradients(), 1e-4)

    @pytest.mark.parametrize("training", [False, True])
    def test_gradient_equals_finite_differences(self, training):
        with double():
            layer = self.made(dtype="float64", return_state=True, seed=3)
            (inputs, mask), state = some_data("float64"), self.state(layer, "float64")
            function = loss_function(layer, mask, training)
            weights = [ops.convert_to_numpy(w) for w in layer.trainable_variables]
            values = [*weights, inputs, *state]
            found = differentiate(layer, inputs, mask, state, training).gradients()

            def at(i, change):
                args = [*values]
                args[i] = args[i] + change
                n = len(weights)
                return function(args[:n], args[n], args[n + 1 :])

            # Two points would be off by some 1e-6, by curvature if they are far apart
            # and by rounding if not. With four, curvature is cancelled out.
            rng, step = np.random.default_rng(4), 2e-5
            for i, (value, gradient) in enumerate(zip(values, found, strict=True)):
                assert gradient.any(), "a gradient is cut off"
                way = rng.normal(size=value.shape)
                near, far = (
                    at(i, s * step * way) - at(i, -s * step * way) for s in (1, 2)
                )
                slope = (8 * near - far) / (12 * step)
                np.testing.assert_allclose((gradient * way).sum(), slope, 5e-7, 1e-8)

    def test_engines_agree(self):
        """Those that can run here, in values and gradients, with masks."""
        with double():
            results = []
            for engine in getattr(self.layer_class, "engines", ()):
                layer = self.made(dtype="float64", return_state=True)
                if layer.why_not(engine) is None:
                    layer.engine = engine
                    (inputs, mask), state = (
                        some_data("float64"),
                        self.state(layer, "float64"),
                    )
                    results.append(differentiate(layer, inputs, mask, state))
            for other in results[1:]:
                close(other.outputs, results[0].outputs, 1e-9)
                close(other.gradients(), results[0].gradients(), 1e-9)

    def test_long_and_extreme_inputs_stay_finite(self):
        layer = self.made(return_state=True)
        inputs, mask = some_data(time=2000)
        inputs = 1e4 * inputs
        mode = "eager" if BACKEND == "torch" else "jit"
        result = differentiate(layer, inputs, mask, self.state(layer), mode=mode)
        for x in [*result.outputs, *result.gradients()]:
            assert np.isfinite(x).all()
        assert np.abs(result.outputs[0]).max() > 0.5
