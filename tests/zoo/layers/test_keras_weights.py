"""`ZoneoutLSTM` from `keras.layers.LSTM`, and back, with trained weights."""

import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import FEATURES, UNITS, close, some_data
from zoo.layers import ZoneoutLSTM

OPTIONS = {
    "return_sequences": True,
    "return_state": True,
    "use_bias": True,
    "unit_forget_bias": False,
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 4,
    "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
    "recurrent_initializer": keras.initializers.HeNormal(seed=2),
    "bias_initializer": keras.initializers.Constant(0.5),
    "kernel_regularizer": keras.regularizers.L2(0.01),
    "recurrent_regularizer": keras.regularizers.L1(0.02),
    "bias_regularizer": keras.regularizers.L2(0.03),
    "name": "reader",
}


def trained(layer):
    """The layer after a few steps of training: no weight is as it began."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, FEATURES))
    outputs = keras.tree.flatten(layer(inputs))[0]
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    before = layer.get_weights()
    x = some_data()[0]
    model.fit(x, np.ones((len(x), *model.output_shape[1:])), epochs=3, verbose=0)
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert (old != new).all()
    return layer


def right_padding(mask):
    return np.sort(mask, 1)[:, ::-1]


def assert_same(ours, theirs):
    """Equal outputs, at valid steps: Keras shows zeros before the first one."""
    (inputs, mask), state = (
        some_data(),
        np.random.default_rng(2)
        .normal(size=(2, len(some_data()[0]), UNITS))
        .astype("float32"),
    )
    mask = right_padding(mask)
    for options in ({}, {"initial_state": list(state)}):
        got = numbers(ours(inputs, **options))
        wanted = numbers(theirs(inputs, **options))
        close(got, wanted)
        got = numbers(ours(inputs, mask=mask, **options))
        wanted = numbers(theirs(inputs, mask=mask, **options))
        if ours.return_sequences:
            got[0], wanted[0] = got[0][mask], wanted[0][mask]
        else:
            got, wanted = [x[:-1] for x in got], [x[:-1] for x in wanted]
        close(got, wanted)


def assert_options(layer, changed=()):
    config = layer.get_config()
    wanted = {**OPTIONS, **dict(changed)}
    for name, value in wanted.items():
        if name.endswith("izer"):
            module = keras.regularizers if "regul" in name else keras.initializers
            given = config[name]["config"]
            assert given == module.serialize(value)["config"], name
        else:
            assert config[name] == value, name


class TestFromKeras:
    @pytest.mark.parametrize("use_bias", [True, False])
    def test_trained_weights_give_the_same_outputs(self, use_bias):
        theirs = trained(keras.layers.LSTM(UNITS, **{**OPTIONS, "use_bias": use_bias}))
        ours = ZoneoutLSTM.from_keras(theirs)
        assert_same(ours, theirs)
        assert_options(ours, {"use_bias": use_bias})

    def test_weights_are_copies(self):
        theirs = trained(keras.layers.LSTM(UNITS, return_sequences=True))
        ours = ZoneoutLSTM.from_keras(theirs)
        before = ours.get_weights()
        theirs.set_weights([0 * w for w in theirs.get_weights()])
        close(ours.get_weights(), before)

    def test_backwards_without_sequences(self):
        theirs = trained(keras.layers.LSTM(UNITS, go_backwards=True))
        ours = ZoneoutLSTM.from_keras(theirs)
        assert ours.reverse
        assert_same(ours, theirs)

    def test_options_of_ours_come_on_top(self):
        theirs = trained(keras.layers.LSTM(UNITS, return_sequences=True))
        plain = ZoneoutLSTM.from_keras(theirs)
        ours = ZoneoutLSTM.from_keras(theirs, zoneout_c=0.5, peepholes=True)
        assert ours.zoneout_c == 0.5
        close(ours.get_weights()[:3], plain.get_weights())
        close(ours.get_weights()[3], np.zeros(3 * UNITS))

    def test_a_layer_that_is_not_built(self):
        ours = ZoneoutLSTM.from_keras(keras.layers.LSTM(UNITS, **OPTIONS))
        assert not ours.built
        assert_options(ours)

    def test_policies(self):
        layer = keras.layers.LSTM(UNITS, dtype="mixed_bfloat16", trainable=False)
        ours = ZoneoutLSTM.from_keras(layer)
        assert ours.dtype_policy.name == "mixed_bfloat16"
        assert not ours.trainable

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"activation": "relu"}, "no other `activation` than tanh"),
            ({"recurrent_activation": "hard_sigmoid"}, "than sigmoid"),
            ({"stateful": True}, "`stateful` than False"),
            ({"kernel_constraint": "max_norm"}, "`kernel_constraint` than None"),
            ({"recurrent_constraint": "max_norm"}, "`recurrent_constraint`"),
            ({"bias_constraint": "max_norm"}, "`bias_constraint`"),
            ({"activity_regularizer": "l2"}, "`activity_regularizer`"),
            ({"go_backwards": True, "return_sequences": True}, "last step first"),
        ],
    )
    def test_options_that_ours_has_not(self, options, message):
        with pytest.raises(ValueError, match=message) as error:
            ZoneoutLSTM.from_keras(keras.layers.LSTM(3, name="reader", **options))
        assert "'reader'" in str(error.value)

    def test_other_layers(self):
        with pytest.raises(ValueError, match="keras.layers.LSTM. Received: GRU"):
            ZoneoutLSTM.from_keras(keras.layers.GRU(3))


class TestToKeras:
    @pytest.mark.parametrize("use_bias", [True, False])
    def test_trained_weights_give_the_same_outputs(self, use_bias):
        ours = trained(ZoneoutLSTM(UNITS, **{**OPTIONS, "use_bias": use_bias}))
        theirs = ours.to_keras()
        assert_same(ours, theirs)
        assert_options(theirs, {"use_bias": use_bias})

    def test_there_and_back(self):
        ours = trained(ZoneoutLSTM(UNITS, **OPTIONS))
        again = ZoneoutLSTM.from_keras(ours.to_keras())
        assert again.get_config() == ours.get_config()
        close(again.get_weights(), ours.get_weights())

    def test_reverse_without_sequences(self):
        ours = trained(ZoneoutLSTM(UNITS, reverse=True))
        assert_same(ours, ours.to_keras())

    def test_a_layer_that_is_not_built(self):
        theirs = ZoneoutLSTM(UNITS, **OPTIONS).to_keras()
        assert not theirs.built
        assert_options(theirs)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"zoneout_h": 0.1}, "has no `zoneout_h`"),
            ({"zoneout_c": 0.1}, "has no `zoneout_c`"),
            ({"recurrent_dropconnect": 0.1}, "has no `recurrent_dropconnect`"),
            ({"layer_norm": True}, "has no `layer_norm`"),
            ({"peepholes": True}, "has no `peepholes`"),
            ({"projection": 2}, "has no `projection`.*projection=2"),
            ({"reverse": True, "return_sequences": True}, "last step first"),
        ],
    )
    def test_options_that_keras_has_not(self, options, message):
        with pytest.raises(ValueError, match=message) as error:
            ZoneoutLSTM(3, name="reader", **options).to_keras()
        assert "'reader'" in str(error.value)
