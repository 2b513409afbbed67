import keras
import numpy as np
import pytest

from tests.backend import BACKEND, numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
from tests.references import gated
from zoo.layers.gru import GRU


class TestZoneout(RecurrentContract):
    layer_class = GRU
    required = {"units": UNITS}
    # More units than the contract's: four that are held at random learn by luck.
    fixed = {"zoneout_h": 0.1, "units": 8}
    random = True
    options = {
        "units": 7,
        "zoneout_h": 0.1,
        "reset_after": False,
        "dropout": 0.3,
        "recurrent_dropout": 0.4,
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "recurrent_initializer": keras.initializers.HeNormal(seed=2),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "recurrent_regularizer": keras.regularizers.L1(0.02),
        "bias_regularizer": keras.regularizers.L2(0.03),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
        "engine": "loop",
    }

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return gated.gru(weights, inputs, mask, state, **self.fixed)


class TestResetBefore(TestZoneout):
    variant = True
    fixed = {
        "reset_after": False,
        "reverse": True,
        "dropout": 0.2,
        "recurrent_dropout": 0.3,
    }
    parts = [("reverse", slice(None), slice(None))]

    def learner(self):
        # As few units as are tested otherwise learn this on some seeds.
        return self.make(units=12)


class TestWithoutBias:
    @pytest.mark.parametrize("reset_after", [False, True])
    def test_equals_the_equation(self, reset_after):
        contract = TestZoneout()
        contract.fixed = {"use_bias": False, "reset_after": reset_after}
        names = [w.name for w in contract.made().weights]
        assert names == ["kernel", "recurrent_kernel"]
        contract.fixed = {"reset_after": reset_after}
        layer, (inputs, mask) = contract.made(use_bias=False), some_data()
        state = contract.state(layer)
        outputs, *_ = contract.equation(layer, inputs, mask, state)
        close(contract.run(layer, inputs, mask, state), [outputs])


def trained(**options):
    """A layer of Keras after some steps of training."""
    theirs = keras.layers.GRU(UNITS, **options)
    model = keras.Sequential([keras.Input((None, FEATURES)), theirs])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 5, FEATURES)), rng.normal(size=(16, UNITS))
    if options.get("return_sequences"):
        y = np.repeat(y[:, None], 5, 1)
    model.fit(x.astype("float32"), y.astype("float32"), epochs=3, verbose=0)
    return theirs


class TestConversion:
    @pytest.mark.parametrize("use_bias", [False, True])
    @pytest.mark.parametrize("reset_after", [False, True])
    def test_trained_weights_go_both_ways(self, reset_after, use_bias):
        theirs = trained(
            reset_after=reset_after, use_bias=use_bias, return_sequences=True
        )
        inputs, _ = some_data()
        wanted = numbers(theirs(inputs))[0]
        ours = GRU.from_keras(theirs)
        close(numbers(ours(inputs))[0], wanted, 1e-6)
        close(numbers(ours.to_keras()(inputs))[0], wanted, 1e-6)

    def test_options_go_both_ways(self):
        options = {
            "dropout": 0.2,
            "recurrent_dropout": 0.3,
            "reset_after": False,
            "use_bias": False,
            "recurrent_initializer": "he_normal",
            "kernel_regularizer": keras.regularizers.L2(0.1),
            "return_state": True,
            "go_backwards": True,
            "seed": 5,
            "name": "reader",
            "dtype": "mixed_bfloat16",
            "trainable": False,
        }
        theirs = keras.layers.GRU(3, **options)
        ours = GRU.from_keras(theirs, zoneout_h=0.1)
        assert ours.zoneout_h == 0.1 and ours.reverse and not ours.built
        ours = GRU.from_keras(theirs)
        assert ours.to_keras().get_config() == theirs.get_config()

    def test_backwards(self):
        theirs = trained(go_backwards=True)
        inputs, _ = some_data()
        wanted = numbers(theirs(inputs))[0]
        ours = GRU.from_keras(theirs)
        close(numbers(ours(inputs))[0], wanted, 1e-6)
        close(numbers(ours.to_keras()(inputs))[0], wanted, 1e-6)

    def test_weights_of_a_frozen_layer(self):
        theirs = keras.layers.GRU(3, trainable=False)
        theirs.build((None, None, FEATURES))
        ours = GRU.from_keras(theirs)
        close(numbers(ours.weights), numbers(theirs.cell.weights[:3]))
        close(numbers(ours.to_keras().cell.weights[:3]), numbers(ours.weights))

    @pytest.mark.parametrize(
        "options",
        [
            {"activation": "relu"},
            {"recurrent_activation": "hard_sigmoid"},
            {"stateful": True},
            {"kernel_constraint": keras.constraints.NonNeg()},
            {"go_backwards": True, "return_sequences": True},
        ],
    )
    def test_what_ours_has_not(self, options):
        with pytest.raises(ValueError, match="'reader'"):
            GRU.from_keras(keras.layers.GRU(3, name="reader", **options))

    def test_another_layer(self):
        with pytest.raises(ValueError, match="must be a keras.layers.GRU. Rec.* Dense"):
            GRU.from_keras(keras.layers.Dense(3))

    @pytest.mark.parametrize(
        "options", [{"zoneout_h": 0.1}, {"reverse": True, "return_sequences": True}]
    )
    def test_what_keras_has_not(self, options):
        with pytest.raises(ValueError, match="'reader'"):
            GRU(3, name="reader", **options).to_keras()


class TestOptions:
    @pytest.mark.parametrize("name", ["kernel", "recurrent", "bias"])
    def test_initializers_and_regularizers(self, name):
        options = {
            f"{name}_initializer": keras.initializers.Constant(2.0),
            f"{name}_regularizer": keras.regularizers.L2(0.5),
        }
        layer = GRU(2, **options)
        layer.build((None, None, 3))
        attribute = "recurrent_kernel" if name == "recurrent" else name
        weight = numbers(getattr(layer, attribute))[0]
        close(weight, np.full_like(weight, 2.0))
        close(numbers(layer.losses)[0], 0.5 * 4 * weight.size)

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5", None, True])
    @pytest.mark.parametrize("name", ["zoneout_h", "dropout", "recurrent_dropout"])
    def test_bad_rates(self, name, rate):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'tagger' must be"):
            GRU(3, name="tagger", **{name: rate})

    @pytest.mark.parametrize("engine", ["cudnn", "parallel"])
    def test_engines_it_has_not(self, engine):
        inputs, _ = some_data()
        with pytest.raises(ValueError, match="has no such engine; it has 'loop'"):
            GRU(3, engine=engine)(inputs)


class TestNoise:
    def test_zoneout_holds_units_at_its_rate(self):
        layer = TestZoneout().made(units=32, zoneout_h=0.25, seed=1)
        inputs = np.random.default_rng(0).normal(size=(32, 32, FEATURES))
        outputs = numbers(layer(inputs.astype("float32"), training=True))[0]
        held = (outputs[:, 1:] == outputs[:, :-1]).mean()
        assert abs(held - 0.25) < 5 * np.sqrt(0.25 * 0.75 / outputs[:, 1:].size)

    def test_dropout_is_the_same_for_all_steps(self):
        # All features are alike, and only the kernel is not zero.
        layer = TestZoneout().made(units=1, zoneout_h=0.0, dropout=0.5, seed=1)
        kernel, recurrent, bias = layer.get_weights()
        layer.set_weights([np.ones_like(kernel), 0 * recurrent, 0 * bias])
        inputs = np.ones((64, 9, FEATURES), "float32")
        outputs = numbers(layer(inputs, training=True))[0][:, :, 0]
        # h' = z h + (1 - z) g: with the same z and g in all steps, a geometric series.
        off = outputs[:, -1:] - outputs
        ratio = off[:, 1:4] / np.where(off[:, :3] == 0, 1, off[:, :3])
        assert len(np.unique(outputs[:, 0].round(4))) == FEATURES + 1
        assert np.ptp(ratio, 1).max() < 0.05

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras is the same everywhere")
    @pytest.mark.parametrize("reset_after", [False, True])
    def test_recurrent_dropout_acts_as_the_reference_says(self, reset_after):
        contract = TestZoneout()
        options = {"recurrent_dropout": 0.5, "reset_after": reset_after}
        contract.fixed = options
        layer, (inputs, mask) = contract.made(seed=4), some_data()
        twin = contract.made(seed=4)
        state = contract.state(layer)
        kept = numbers(twin._dropout_mask(0.5, len(inputs), UNITS))[0]
        assert set(np.unique(kept)) == {0.0, 2.0}
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        wanted, *_ = gated.gru(
            weights, inputs, mask, state, reset_after=reset_after, recurrent_mask=kept
        )
        close(contract.run(layer, inputs, mask, state, training=True), [wanted])
