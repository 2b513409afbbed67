import keras
import numpy as np
import pytest

from tests.backend import BACKEND, differentiate, numbers
from tests.contract import LayerContract, close
from zoo.layers import Bidirectional, Stack, ZoneoutLSTM
from zoo.layers.hierarchical import Hierarchical

BATCH, SENTENCES, WORDS, FEATURES, INNER, UNITS = 3, 4, 5, 3, 2, 4


def documents(words=WORDS):
    """Inputs and mask: an empty sentence first, between, and last; an empty row."""
    shape = (BATCH, SENTENCES, words)
    inputs = np.random.default_rng(0).normal(size=(*shape, FEATURES))
    mask = np.ones(shape, "bool")
    mask[0, 1, 2:] = mask[0, 2] = mask[0, 3, :2] = False
    mask[1, 0] = mask[1, 3] = mask[1, 1, 1] = False
    mask[2] = False
    return inputs.astype("float32"), mask


class TestHierarchical(LayerContract):
    layer_class = Hierarchical
    required = {"inner": ZoneoutLSTM(INNER), "outer": ZoneoutLSTM(UNITS)}
    options = {
        "inner": ZoneoutLSTM(3, zoneout_c=0.2),
        "outer": ZoneoutLSTM(5, return_sequences=True, zoneout_h=0.1),
    }

    def made(self, return_sequences=True, return_state=True, **options):
        options = {**options, "zoneout_c": 0.3}
        inner = Bidirectional(ZoneoutLSTM(INNER, **options))
        outer = ZoneoutLSTM(
            UNITS,
            return_sequences=return_sequences,
            return_state=return_state,
            **options,
        )
        layer = self.make(inner=inner, outer=outer)
        layer.build((None, None, None, FEATURES))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
        return layer

    def state(self):
        rng = np.random.default_rng(2)
        return [rng.normal(size=(BATCH, UNITS)).astype("float32") for _ in range(2)]

    def model(self):
        inputs = keras.Input((None, None, FEATURES))
        mask = keras.Input((None, None), dtype="bool")
        state = [keras.Input((UNITS,)) for _ in range(2)]
        outputs = self.made()(inputs, mask=mask, initial_state=state)
        return (
            keras.Model([inputs, mask, *state], outputs),
            [*documents(), *self.state()],
        )

    @pytest.mark.parametrize("masked", [False, True])
    def test_equals_sentences_read_one_by_one(self, masked):
        layer, (inputs, mask) = self.made(), documents()
        mask = mask if masked else np.ones_like(mask)
        got = numbers(
            layer(inputs, mask=mask if masked else None, initial_state=self.state())
        )
        for row in range(BATCH):
            state = [s[row : row + 1] for s in self.state()]
            for j in range(SENTENCES):
                if mask[row, j].any():
                    words = inputs[row, j][mask[row, j]]
                    sentence = layer.inner(words[None])
                    _, *state = layer.outer(
                        numbers(sentence)[0][:, None], initial_state=state
                    )
                # A sentence without words holds the state, and shows it.
                close(got[0][row, j], numbers(state)[0][0])
            close([s[row] for s in got[1:]], [s[0] for s in numbers(state)])

    def test_padding_is_invisible(self):
        layer, (inputs, mask) = self.made(), documents()
        wanted = numbers(layer(inputs, mask=mask))
        for junk in (1e3, np.nan, np.inf):
            other = np.where(mask[..., None], inputs, np.float32(junk))
            close(numbers(layer(other, mask=mask)), wanted, 1e-6)
        longer, _ = documents(WORDS + 2)
        longer[:, :, :WORDS] = inputs
        more = np.pad(mask, ((0, 0), (0, 0), (0, 2)))
        close(numbers(layer(longer, mask=more)), wanted)

    def test_a_document_in_two_parts(self):
        layer, (inputs, mask) = self.made(), documents()
        wanted, *end = numbers(layer(inputs, mask=mask))
        first, *state = layer(inputs[:, :2], mask=mask[:, :2])
        second, *state = layer(inputs[:, 2:], mask=mask[:, 2:], initial_state=state)
        close(np.concatenate(numbers([first, second]), 1), wanted)
        close(numbers(state), end)

    def test_gradients(self):
        layer, (inputs, mask) = self.made(), documents()
        eager = differentiate(layer, inputs, mask, self.state())
        assert all(g.any() for g in eager.gradients())
        assert not eager.inputs[~mask].any()
        if BACKEND != "torch":
            jit = differentiate(layer, inputs, mask, self.state(), mode="jit")
            close(jit.outputs, eager.outputs)
            close(jit.gradients(), eager.gradients(), 1e-4)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="other shapes are known")
    def test_graph_with_unknown_sizes(self):
        import tensorflow as tf

        layer, (inputs, mask) = self.made(), documents()
        specs = [
            tf.TensorSpec((None, None, None, FEATURES)),
            tf.TensorSpec((None, None, None), "bool"),
        ]
        run = tf.function(lambda x, m: layer(x, mask=m), input_signature=specs)
        close(numbers(run(inputs, mask)), numbers(layer(inputs, mask=mask)))

    @pytest.mark.parametrize("return_state", [False, True])
    @pytest.mark.parametrize("return_sequences", [False, True])
    def test_symbolic_shapes_equal_real_ones(self, return_sequences, return_state):
        layer = self.made(return_sequences, return_state)
        inputs, mask = documents()
        real = keras.tree.flatten(layer(inputs, mask=mask))
        symbols = keras.tree.flatten(layer(keras.Input(batch_shape=inputs.shape)))
        assert [tuple(s.shape) for s in symbols] == [tuple(x.shape) for x in real]
        free = keras.tree.flatten(layer(keras.Input((None, None, FEATURES))))
        assert [s.shape[-1] for s in free] == [x.shape[-1] for x in real]

    def test_stacks_on_both_floors(self):
        inner = Stack.of("zoneout_lstm", INNER, 2, bidirectional=True)
        outer = Stack.of("zoneout_lstm", UNITS, 2, connection="residual")
        inputs, mask = documents()
        (outputs,) = numbers(Hierarchical(inner, outer)(inputs, mask=mask))
        assert outputs.shape == (BATCH, UNITS)

    @pytest.mark.parametrize("case", ["rank", "mask", "words", "sentences", "features"])
    def test_what_does_not_fit_is_a_clear_error(self, case):
        layer, (inputs, mask) = self.made(), documents()
        wrong = {
            "rank": (inputs[0], None),
            "mask": (inputs, mask[..., 0]),
            "words": (inputs[:, :, :0], None),
            "sentences": (inputs[:, :0], None),
            "features": (inputs[..., :2], None),
        }
        names = [x.name for x in layer._flatten_layers()]
        with pytest.raises(ValueError) as error:
            layer(wrong[case][0], mask=wrong[case][1])
        assert any(f"'{name}'" in str(error.value) for name in names)

    @pytest.mark.parametrize(
        ("inner", "outer", "message"),
        [
            (None, ZoneoutLSTM(3), "`inner` must be a recurrent layer"),
            (ZoneoutLSTM(3), keras.layers.Dense(3), "`outer` must be a recurrent"),
            (ZoneoutLSTM(3, return_sequences=True), ZoneoutLSTM(3), "return_sequences"),
            (ZoneoutLSTM(3, return_state=True), ZoneoutLSTM(3), "return_state"),
            (Bidirectional(ZoneoutLSTM(3), None), ZoneoutLSTM(3), "must merge"),
        ],
    )
    def test_layers_that_do_not_fit(self, inner, outer, message):
        with pytest.raises(ValueError, match=message):
            Hierarchical(inner, outer)
