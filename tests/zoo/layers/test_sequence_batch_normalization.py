import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double, numbers
from tests.contract import BATCH, FEATURES, TIME, LayerContract, close, some_data
from zoo.layers.ind_rnn import IndRNN
from zoo.layers.sequence_batch_normalization import SequenceBatchNormalization


def made(**options):
    """A layer whose weights are all random, variances positive."""
    layer = SequenceBatchNormalization(**options)
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    return layer


def equation(inputs, mask, mean=None, variance=None, gamma=1, beta=0, epsilon=1e-3):
    """Laurent et al. (2016), from a list of the valid steps."""
    valid = np.asarray(inputs, "float64")[mask]
    mean = valid.mean(0) if mean is None else mean
    variance = valid.var(0) if variance is None else variance
    outputs = np.zeros(inputs.shape)
    outputs[mask] = gamma * (valid - mean) / np.sqrt(variance + epsilon) + beta
    return outputs


def weights_of(layer):
    return {w.name: numbers(w)[0] for w in layer.weights}


class TestContract(LayerContract):
    layer_class = SequenceBatchNormalization
    options = {
        "momentum": 0.9,
        "epsilon": 0.01,
        "center": False,
        "scale": False,
        "beta_initializer": keras.initializers.Constant(0.1),
        "gamma_initializer": keras.initializers.Constant(0.9),
        "beta_regularizer": keras.regularizers.L2(0.1),
        "gamma_regularizer": keras.regularizers.L1(0.1),
    }

    def model(self):
        inputs = keras.Input((None, FEATURES)), keras.Input((None,), dtype="bool")
        outputs = made()(inputs[0], mask=inputs[1])
        return keras.Model(inputs, outputs), list(some_data())


class TestTraining:
    @pytest.mark.parametrize("masked", [False, True])
    def test_equals_the_equation(self, masked):
        layer, (inputs, mask) = made(), some_data()
        weights = weights_of(layer)
        mask = mask if masked else np.ones_like(mask)
        got = layer(inputs, mask=mask if masked else None, training=True)
        wanted = equation(inputs, mask, gamma=weights["gamma"], beta=weights["beta"])
        close(numbers(got)[0], wanted)

    def test_valid_steps_come_out_normal(self):
        layer, (inputs, mask) = SequenceBatchNormalization(epsilon=1e-9), some_data()
        valid = numbers(layer(5 + 3 * inputs, mask=mask, training=True))[0][mask]
        close(valid.mean(0), np.zeros(FEATURES), 1e-5)
        close(valid.std(0), np.ones(FEATURES), 1e-5)

    def test_averages_follow(self):
        layer, (inputs, mask) = made(momentum=0.8), some_data()
        before, valid = weights_of(layer), inputs[mask]
        layer(inputs, mask=mask, training=True)
        after = weights_of(layer)
        for name, value in (
            ("moving_mean", valid.mean(0)),
            ("moving_variance", valid.var(0)),
        ):
            close(after[name], 0.8 * before[name] + 0.2 * value)

    def test_a_batch_without_valid_steps_changes_nothing(self):
        layer, (inputs, mask) = made(), some_data()
        before = weights_of(layer)
        outputs = numbers(layer(inputs, mask=np.zeros_like(mask), training=True))[0]
        assert not outputs.any()
        for name, value in weights_of(layer).items():
            np.testing.assert_array_equal(value, before[name])

    def test_a_single_valid_step_stays_finite(self):
        layer, (inputs, mask) = made(), some_data()
        mask = np.zeros_like(mask)
        mask[2, 3] = True
        outputs = numbers(layer(inputs, mask=mask, training=True))[0]
        close(outputs[2, 3], weights_of(layer)["beta"])

    def test_a_frozen_layer_takes_and_keeps_its_averages(self):
        layer, (inputs, mask) = made(trainable=False), some_data()
        before = weights_of(layer)
        outputs = [layer(inputs, mask=mask, training=flag) for flag in (False, True)]
        close(*numbers(outputs))
        for name, value in weights_of(layer).items():
            np.testing.assert_array_equal(value, before[name])

    def test_gradient_equals_finite_differences(self):
        with double():
            layer = made(dtype="float64")
            inputs, mask = some_data("float64")
            way = np.random.default_rng(3).normal(size=inputs.shape)
            weights = np.random.default_rng(4).normal(size=inputs.shape)
            gradient = gradient_of(layer, inputs, mask, weights)

            def loss(inputs):
                outputs = numbers(layer(inputs, mask=mask, training=True))[0]
                return (outputs * weights).sum()

            slope = (loss(inputs + 1e-5 * way) - loss(inputs - 1e-5 * way)) / 2e-5
        assert not gradient[~mask].any()
        close((gradient * way).sum(), slope, 1e-6)


def gradient_of(layer, inputs, mask, weights):
    """Gradient by the inputs of the weighted sum of the outputs, in training."""
    if BACKEND == "jax":
        import jax

        def loss(inputs):
            outputs, _ = layer.stateless_call(
                [v.value for v in layer.trainable_variables],
                [v.value for v in layer.non_trainable_variables],
                inputs,
                mask=mask,
                training=True,
            )
            return (outputs * weights).sum()

        return np.asarray(jax.grad(loss)(inputs))
    if BACKEND == "torch":
        import torch

        inputs = torch.tensor(inputs, requires_grad=True)
        outputs = layer(inputs, mask=mask, training=True)
        loss = (outputs * torch.tensor(weights)).sum()
        return torch.autograd.grad(loss, inputs)[0].numpy()
    import tensorflow as tf

    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(layer(inputs, mask=mask, training=True) * weights)
    return tape.gradient(loss, inputs).numpy()


class TestInference:
    def test_takes_the_averages(self):
        layer, (inputs, mask) = made(), some_data()
        weights = weights_of(layer)
        weights["mean"] = weights.pop("moving_mean")
        weights["variance"] = weights.pop("moving_variance")
        wanted = equation(inputs, mask, **weights)
        close(numbers(layer(inputs, mask=mask))[0], wanted)

    def test_without_gain_and_offset(self):
        layer, (inputs, mask) = made(center=False, scale=False), some_data()
        weights = weights_of(layer)
        assert list(weights) == ["moving_mean", "moving_variance"]
        wanted = equation(inputs, mask, *weights.values())
        close(numbers(layer(inputs, mask=mask))[0], wanted)

    def test_agrees_with_keras_where_nothing_is_masked(self):
        layer, (inputs, _) = made(epsilon=0.01, momentum=0.7), some_data()
        theirs = keras.layers.BatchNormalization(epsilon=0.01, momentum=0.7)
        theirs.build(inputs.shape)
        theirs.set_weights(layer.get_weights())
        for training in (True, False):
            outputs = [x(inputs, training=training) for x in (layer, theirs)]
            close(*numbers(outputs))
        for name, value in weights_of(theirs).items():
            close(weights_of(layer)[name], value)


class TestMask:
    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize("junk", [1e3, np.nan, np.inf])
    def test_padding_is_invisible_and_comes_out_as_zeros(self, junk, training):
        inputs, mask = some_data()
        wanted = numbers(made()(inputs, mask=mask, training=training))[0]
        inputs[~mask] = junk
        layer = made()
        got = numbers(layer(inputs, mask=mask, training=training))[0]
        np.testing.assert_array_equal(got, wanted)
        assert not got[~mask].any()
        assert all(np.isfinite(value).all() for value in weights_of(layer).values())

    def test_what_is_no_number_is_a_clear_error(self):
        layer, (inputs, mask) = made(), some_data()
        inputs[mask] = np.nan
        with pytest.raises(ValueError, match=f"'{layer.name}'.*finite numbers"):
            layer(inputs, mask=mask)

    def test_masks_of_numbers(self):
        layer, (inputs, mask) = made(), some_data()
        got = [layer(inputs, mask=m) for m in (mask, mask.astype("float32"))]
        close(*numbers(got))


class TestPrecision:
    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
    def test_statistics_are_float32(self, policy):
        layer, (inputs, mask) = made(dtype=policy, epsilon=1e-6), some_data()
        outputs = layer(100 + inputs, mask=mask, training=True)
        compute = keras.DTypePolicy(policy).compute_dtype
        assert keras.backend.standardize_dtype(outputs.dtype) == compute
        assert {layer.moving_mean.dtype, layer.moving_variance.dtype} == {"float32"}
        weights = weights_of(layer)
        wanted = equation(
            100 + inputs, mask, gamma=weights["gamma"], beta=weights["beta"]
        )
        # Half a unit of bfloat16 at 100 is a quarter; the inputs here are float32.
        close(numbers(outputs)[0], wanted, 0.02)

    def test_float64(self):
        with double():
            layer, (inputs, mask) = made(dtype="float64"), some_data("float64")
            weights = weights_of(layer)
            got = numbers(layer(inputs, mask=mask, training=True))[0]
        assert {w.dtype for w in layer.weights} == {"float64"}
        wanted = equation(inputs, mask, gamma=weights["gamma"], beta=weights["beta"])
        close(got, wanted, 1e-12)


class TestModels:
    @pytest.mark.parametrize("jit", [False, BACKEND != "torch"])
    def test_between_layers_of_a_model(self, jit):
        """Loss falls, compiled or not, and the averages have moved."""
        keras.utils.set_random_seed(1)
        inputs = keras.Input((None, FEATURES))
        mask = keras.Input((None,), dtype="bool")
        x, norm = inputs, SequenceBatchNormalization(momentum=0.8)
        x = IndRNN(8, time_steps=TIME, return_sequences=True)(x, mask=mask)
        x = norm(x, mask=mask)
        x = IndRNN(8, time_steps=TIME)(x, mask=mask)
        model = keras.Model([inputs, mask], keras.layers.Dense(1)(x))
        model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit)
        data, valid = some_data()
        y = np.where(valid, data[:, :, 0], 0).sum(1, keepdims=True)
        fit = model.fit([data, valid], y, epochs=25, batch_size=BATCH, verbose=0)
        losses = fit.history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        assert numbers(norm.moving_mean)[0].any()

    def test_symbolic_shapes_equal_real_ones(self):
        symbol = SequenceBatchNormalization()(keras.Input((None, FEATURES)))
        assert symbol.shape == (None, None, FEATURES)
        half = SequenceBatchNormalization(dtype="mixed_bfloat16")
        assert half(keras.Input((TIME, FEATURES))).dtype == "bfloat16"

    def test_masks_travel_on(self):
        (inputs, mask), layer = some_data(), made()
        assert layer.compute_mask(inputs, mask) is mask


class TestBadInput:
    @pytest.mark.parametrize(
        ("inputs", "mask", "message"),
        [
            (np.zeros((2, 3)), None, r"\(batch, time, features\)"),
            (np.zeros((2, 5, 2)), None, "built for 3 features"),
            (np.zeros((2, 5, 3)), np.ones((2, 4)), r"mask of shape .* = \(2, 5\)"),
            (np.zeros((2, 5, 3)), np.ones((2, 5, 1)), r"mask of shape .* = \(2, 5\)"),
        ],
    )
    def test_what_does_not_fit_is_a_clear_error(self, inputs, mask, message):
        layer = made(name="norm")
        with pytest.raises(ValueError, match=f"'norm'.*{message}"):
            layer(ops.convert_to_tensor(inputs.astype("float32")), mask=mask)

    @pytest.mark.parametrize("momentum", [-0.1, 1.1, "0.9", None])
    def test_bad_momentum(self, momentum):
        with pytest.raises(ValueError, match="`momentum` of layer 'norm' must be"):
            SequenceBatchNormalization(momentum=momentum, name="norm")

    @pytest.mark.parametrize("epsilon", [0, -1.0, True, np.nan, "0.1", None])
    def test_bad_epsilon(self, epsilon):
        with pytest.raises(ValueError, match="`epsilon` of layer 'norm' must be"):
            SequenceBatchNormalization(epsilon=epsilon, name="norm")
