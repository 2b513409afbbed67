import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, differentiate, numbers
from tests.contract import UNITS, RecurrentContract, close, some_data
from tests.reference import zoneout_lstm
from zoo import devices
from zoo.layers import ZoneoutLSTM


class TestPlain(RecurrentContract):
    layer_class = ZoneoutLSTM
    required = {"units": UNITS}
    options = {
        "units": 7,
        "zoneout_h": 0.1,
        "zoneout_c": 0.2,
        "dropout": 0.3,
        "recurrent_dropout": 0.4,
        "recurrent_dropconnect": 0.15,
        "layer_norm": True,
        "peepholes": True,
        "projection": 5,
        "use_bias": False,
        "unit_forget_bias": False,
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
        return zoneout_lstm(weights, inputs, mask, state, **self.fixed)


class TestZoneout(TestPlain):
    fixed = {"zoneout_h": 0.2, "zoneout_c": 0.4}
    random = True


class TestLayerNorm(TestPlain):
    variant = True
    fixed = {"layer_norm": True, "zoneout_c": 0.3, "use_bias": False}
    random = True

    def learner(self):
        # Normalised, the noise of each step is as loud as what is to be remembered:
        # four units do not remember.
        return self.make(units=32)


class TestReverse(TestPlain):
    variant = True
    fixed = {"reverse": True, "zoneout_h": 0.2}
    parts = [("reverse", slice(None), slice(None))]
    random = True


class TestDropout(TestPlain):
    variant = True
    fixed = {"dropout": 0.3, "recurrent_dropout": 0.4}
    random = True


class TestVariants(TestPlain):
    """Peepholes, projection, DropConnect and what there was before, all at once."""

    variant = True
    fixed = {
        "peepholes": True,
        "projection": 3,
        "recurrent_dropconnect": 0.1,
        "recurrent_dropout": 0.1,
        "zoneout_h": 0.05,
        "zoneout_c": 0.1,
    }
    random = True


class TestAgainstKeras:
    def test_equals_keras_lstm(self):
        """With the same weights, and without zoneout."""
        (inputs, mask), layer = some_data(), TestPlain().made()
        mask = np.sort(mask, 1)[:, ::-1]  # Keras has no other outputs in padding
        theirs = keras.layers.LSTM(UNITS, return_sequences=True)
        theirs.build(inputs.shape)
        theirs.set_weights(layer.get_weights())
        wanted = numbers(theirs(inputs, mask=mask))[0]
        close(numbers(layer(inputs, mask=mask))[0][mask], wanted[mask])


class TestEngines:
    def test_names(self):
        with pytest.raises(ValueError, match="'loop', 'parallel', 'cudnn'.*'fast'"):
            ZoneoutLSTM(3, engine="fast")
        with pytest.raises(ValueError, match="`engine` of layer 'tagger' must be"):
            ZoneoutLSTM(3, name="tagger").why_not("gpu")

    def test_why_not(self):
        layer = ZoneoutLSTM(3)
        assert layer.why_not("loop") is None
        assert layer.why_not("auto") is None
        assert "it has 'loop', 'cudnn'" in layer.why_not("parallel")
        assert layer.chosen_engine() == ("loop" if layer.why_not("cudnn") else "cudnn")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({}, "sees no GPU"),
            ({"zoneout_h": 0.1}, "zoneout_h=0.0"),
            ({"zoneout_c": 0.1}, "zoneout_c=0.0"),
            ({"recurrent_dropout": 0.1}, "recurrent_dropout=0.0"),
            ({"recurrent_dropconnect": 0.1}, "recurrent_dropconnect=0.0"),
            ({"layer_norm": True}, "layer_norm=False"),
            ({"peepholes": True}, "peepholes=False"),
            ({"projection": 2}, "projection=None"),
            ({"use_bias": False}, "use_bias=True"),
            ({"dtype": "mixed_bfloat16"}, "rounded to bfloat16"),
        ],
    )
    def test_why_not_cudnn(self, options, reason, monkeypatch):
        monkeypatch.setattr(devices, "kind", lambda: "gpu" if options else "cpu")
        assert reason in ZoneoutLSTM(3, **options).why_not("cudnn")

    def test_auto_takes_cudnn_on_a_gpu(self, monkeypatch):
        monkeypatch.setattr(devices, "kind", lambda: "gpu")
        layer = ZoneoutLSTM(3, dropout=0.2)
        assert layer.chosen_engine() == "cudnn"
        # XLA on TensorFlow cannot compile cuDNN's operations.
        assert layer.supports_jit == (BACKEND != "tensorflow")
        assert ZoneoutLSTM(3, engine="loop").chosen_engine() == "loop"

    def test_an_engine_that_cannot_be_used(self):
        inputs, _ = some_data()
        layer = ZoneoutLSTM(3, engine="parallel", name="tagger")
        with pytest.raises(ValueError, match="'tagger'.*engine='parallel'.*'cudnn'"):
            layer(inputs)
        layer = ZoneoutLSTM(3, engine="cudnn", peepholes=True)
        with pytest.raises(ValueError, match="peepholes=False alone.*always works"):
            layer(inputs)

    def test_cudnn_takes_no_mask(self, monkeypatch):
        monkeypatch.setattr(devices, "kind", lambda: "gpu")
        (inputs, mask), layer = (
            some_data(),
            ZoneoutLSTM(3, engine="cudnn", name="tagger"),
        )
        with pytest.raises(ValueError, match="'tagger'.*with a mask"):
            layer(inputs, mask=mask)

    @pytest.mark.parametrize("reverse", [False, True])
    def test_delegation_to_keras(self, reverse, monkeypatch):
        """Keras runs its own loop where there is no GPU; values must agree."""
        loop, cudnn = (TestPlain().made(reverse=reverse, seed=1) for _ in range(2))
        inputs, _ = some_data()
        state = TestPlain().state(loop)
        wanted = differentiate(loop, inputs, None, state)
        calls = []

        def scan(inputs, mask, state, training):
            calls.append(1)
            return cudnn._cudnn(inputs, state)

        cudnn._delegate()
        names = [w.path for w in cudnn.weights]
        monkeypatch.setattr(cudnn, "scan", scan)
        got = differentiate(cudnn, inputs, None, state)
        assert calls
        assert [w.path for w in cudnn.weights] == names
        close(got.outputs, wanted.outputs)
        close(got.gradients(), wanted.gradients(), 1e-4)

    def test_the_engine_is_used(self, monkeypatch):
        (inputs, mask), layer = some_data(), TestPlain().made()
        monkeypatch.setattr(devices, "kind", lambda: "gpu")
        monkeypatch.setattr(layer, "_cudnn", lambda x, state: (x[..., :1] * 7, state))
        (outputs,) = numbers(layer(inputs))
        close(outputs, 7 * inputs[..., :1])
        assert numbers(layer(inputs, mask=mask))[0].shape[-1] == UNITS


class TestOptions:
    """What the options of the LSTM do to its weights and losses."""

    def test_bias_of_the_forget_gate(self):
        for flag, value in ((True, 1.0), (False, 0.5)):
            half = keras.initializers.Constant(0.5)
            layer = ZoneoutLSTM(2, unit_forget_bias=flag, bias_initializer=half)
            layer.build((None, None, 3))
            wanted = [0.5, 0.5, value, value, 0.5, 0.5, 0.5, 0.5]
            close(numbers(layer.bias)[0], np.array(wanted))

    def test_without_bias(self):
        layer = ZoneoutLSTM(2, use_bias=False)
        layer.build((None, None, 3))
        assert [w.name for w in layer.weights] == ["kernel", "recurrent_kernel"]

    @pytest.mark.parametrize("name", ["kernel", "recurrent", "bias"])
    def test_initializers_and_regularizers(self, name):
        options = {
            f"{name}_initializer": keras.initializers.Constant(2.0),
            f"{name}_regularizer": keras.regularizers.L2(0.5),
        }
        layer = ZoneoutLSTM(2, unit_forget_bias=False, **options)
        layer.build((None, None, 3))
        attribute = "recurrent_kernel" if name == "recurrent" else name
        weight = numbers(getattr(layer, attribute))[0]
        close(weight, np.full_like(weight, 2.0))
        (loss,) = layer.losses
        close(ops.convert_to_numpy(loss), 0.5 * 4 * weight.size)

    @pytest.mark.parametrize("units", [0, -1, 2.0, True, "3", None])
    def test_bad_units(self, units):
        with pytest.raises(ValueError, match="'tagger' must be a positive integer"):
            ZoneoutLSTM(units, name="tagger")

    @pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
    def test_bad_projections(self, size):
        with pytest.raises(ValueError, match="`projection` of layer 'tagger' must be"):
            ZoneoutLSTM(3, name="tagger", projection=size)

    def test_sizes_with_projection(self):
        layer = ZoneoutLSTM(8, projection=3, return_state=True)
        assert layer.state_sizes == (3, 8)
        shapes = [x.shape for x in numbers(layer(np.zeros((2, 5, 4), "float32")))]
        assert shapes == [(2, 3), (2, 3), (2, 8)]

    def test_peepholes_of_zero_change_nothing(self):
        (inputs, mask), plain = some_data(), TestPlain().made()
        layer = ZoneoutLSTM(UNITS, peepholes=True, return_sequences=True)
        layer.build(inputs.shape)
        layer.set_weights([*plain.get_weights(), np.zeros(3 * UNITS)])
        close(numbers(layer(inputs, mask=mask)), numbers(plain(inputs, mask=mask)))

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5", None, True])
    @pytest.mark.parametrize(
        "name",
        [
            "zoneout_h",
            "zoneout_c",
            "dropout",
            "recurrent_dropout",
            "recurrent_dropconnect",
        ],
    )
    def test_bad_rates(self, name, rate):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'tagger' must be"):
            ZoneoutLSTM(3, name="tagger", **{name: rate})
