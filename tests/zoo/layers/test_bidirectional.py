import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
from tests.reference import zoneout_lstm
from zoo.layers import Bidirectional, ZoneoutLSTM

OPTIONS = {"zoneout_h": 0.2, "zoneout_c": 0.4, "layer_norm": True}


class TestBidirectional(RecurrentContract):
    layer_class = Bidirectional
    required = {"layer": ZoneoutLSTM(UNITS)}
    options = {
        "layer": ZoneoutLSTM(UNITS, return_sequences=True, seed=5, **OPTIONS),
        "merge_mode": "sum",
    }
    parts = [
        ("forward", slice(0, UNITS), slice(0, 2)),
        ("reverse", slice(UNITS, None), slice(2, 4)),
    ]
    random = True

    def make(self, merge_mode="concat", **options):
        if set(options) - {"return_sequences", "return_state", "dtype", "seed"}:
            return super().make(**options)
        return Bidirectional(
            ZoneoutLSTM(UNITS, **OPTIONS, **options), merge_mode=merge_mode
        )

    def equation(self, layer, inputs, mask, state):
        outputs, lasts, states = [], [], []
        for one, own in (
            (layer.forward_layer, state[:2]),
            (layer.backward_layer, state[2:]),
        ):
            weights = {w.name: numbers(w)[0] for w in one.weights}
            reverse = one is layer.backward_layer
            output, last, end = zoneout_lstm(
                weights, inputs, mask, own, reverse=reverse, **OPTIONS
            )
            outputs.append(output)
            lasts.append(last)
            states += end
        return np.concatenate(outputs, -1), np.concatenate(lasts, -1), states

    @pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave", None])
    @pytest.mark.parametrize("return_state", [False, True])
    def test_merges_as_told(self, merge_mode, return_state):
        (inputs, mask), both = some_data(), self.made()
        (outputs,) = self.run(both, inputs, mask)
        a, b = outputs[..., :UNITS], outputs[..., UNITS:]
        wanted = {"sum": [a + b], "mul": [a * b], "ave": [(a + b) / 2], None: [a, b]}
        layer = self.made(merge_mode=merge_mode, return_state=return_state)
        got = self.run(layer, inputs, mask)
        count = len(wanted[merge_mode])
        assert len(got) == count + (4 if return_state else 0)
        close(got[:count], wanted[merge_mode], 1e-6)
        symbols = layer.compute_output_spec(inputs, mask)
        symbols = symbols if isinstance(symbols, tuple) else (symbols,)
        assert [tuple(s.shape) for s in symbols] == [x.shape for x in got]

    def test_the_halves_share_options_but_no_weights(self):
        layer = self.made(seed=3)
        ours, theirs = layer.forward_layer, layer.backward_layer
        config, other = ours.get_config(), theirs.get_config()
        for key in ("name", "reverse", "seed"):
            assert config.pop(key) != other.pop(key)
        assert config == other
        assert len({id(w) for w in layer.weights}) == 2 * len(ours.weights)

    def test_the_halves_draw_their_own_masks(self):
        for seed in (None, 3):
            layer = self.made(seed=seed, merge_mode=None)
            layer.backward_layer.set_weights(layer.forward_layer.get_weights())
            inputs = np.ones((2, 8, FEATURES), "float32")
            a, b = self.run(layer, inputs, training=True)
            assert (a != b[:, ::-1]).mean() > 0.2

    def test_a_reverse_layer_is_run_in_both_directions_too(self):
        (inputs, mask), plain = some_data(), self.made()
        layer = Bidirectional(
            ZoneoutLSTM(UNITS, reverse=True, return_sequences=True, **OPTIONS)
        )
        layer.build(inputs.shape)
        layer.forward_layer.set_weights(plain.backward_layer.get_weights())
        layer.backward_layer.set_weights(plain.forward_layer.get_weights())
        got, wanted = self.run(layer, inputs, mask)[0], self.run(plain, inputs, mask)[0]
        close(got, np.roll(wanted, UNITS, -1), 1e-6)

    @pytest.mark.parametrize("layer", [None, 4, "lstm"])
    def test_only_recurrent_layers(self, layer):
        with pytest.raises(ValueError, match="must be a recurrent layer"):
            Bidirectional(layer)

    def test_unknown_merge_modes(self):
        with pytest.raises(ValueError, match="'concat'.*Received: 'cat'"):
            Bidirectional(ZoneoutLSTM(UNITS), merge_mode="cat")
