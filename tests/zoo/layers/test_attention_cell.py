import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
from tests.backend import BACKEND, numbers
from tests.contract import BATCH, FEATURES, UNITS, RecurrentContract, close, some_data
from tests.reference import zoneout_lstm
from tests.references import attention as reference
from zoo.layers.attention_cell import AttentionCell
from zoo.layers.bahdanau_attention import BahdanauAttention
from zoo.layers.gru import GRU
from zoo.layers.location_sensitive_attention import LocationSensitiveAttention
from zoo.layers.luong_attention import LuongAttention
from zoo.layers.zoneout_lstm import ZoneoutLSTM

SOURCE, MEMORY_FEATURES = 5, 3
MEMORY = np.random.default_rng(9).normal(size=(1, SOURCE, MEMORY_FEATURES))
MEMORY_MASK = np.array([[False, True, True, False, True]])


class Reader(AttentionCell):
    """With one memory for all rows, so that it is called as other layers are."""

    def build(self, inputs_shape):
        super().build(inputs_shape, MEMORY.shape)

    @property
    def state_sizes(self):
        return tuple(SOURCE if n is None else n for n in super().state_sizes)

    def _memory(self, inputs):
        batch = ops.shape(inputs)[0]
        memory = np.where(MEMORY_MASK[..., None], MEMORY, np.nan)
        memory = ops.convert_to_tensor(memory, self.state_dtype)
        mask = ops.convert_to_tensor(MEMORY_MASK)
        return ops.tile(memory, (batch, 1, 1)), ops.tile(mask, (batch, 1))

    def call(self, inputs, mask=None, initial_state=None, training=None):
        inputs = ops.convert_to_tensor(inputs)
        memory, memory_mask = self._memory(inputs)
        return super().call(inputs, memory, mask, memory_mask, initial_state, training)

    def step(self, inputs, state=None, training=False):
        memory, memory_mask = self._memory(inputs)
        return super().step(inputs, state, memory, memory_mask, training)

    def compute_output_spec(self, inputs, mask=None, initial_state=None, training=None):
        memory = keras.KerasTensor((inputs.shape[0], SOURCE, MEMORY_FEATURES))
        return super().compute_output_spec(
            inputs, memory, mask, None, initial_state, training
        )


def named(layer):
    return {w.name: numbers(w)[0] for w in layer.weights}


class TestBefore(RecurrentContract):
    """An LSTM with zoneout, and Bahdanau's attention."""

    layer_class = AttentionCell
    required = {"cell": ZoneoutLSTM(UNITS), "attention": BahdanauAttention(6)}
    options = {
        "cell": ZoneoutLSTM(8, zoneout_h=0.1),
        "attention": LuongAttention("general"),
        "units": 7,
        "attends": "after",
        "input_feeding": False,
        "return_attention": True,
        "return_context": True,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
        "engine": "loop",
    }
    random = True
    cell_options = {"zoneout_h": 0.2, "zoneout_c": 0.4}

    def parts_of(self, dtype):
        return {
            "cell": ZoneoutLSTM(UNITS, dtype=dtype, **self.cell_options),
            "attention": BahdanauAttention(6, dtype=dtype),
        }

    def make(self, **options):
        parts = self.parts_of(options.get("dtype"))
        return Reader(**{**parts, **self.fixed, **options})

    def cell_equation(self, layer):
        weights = named(layer.cell)

        def run(inputs, state):
            found = zoneout_lstm(weights, inputs, None, state, **self.cell_options)
            return found[1], found[2]

        return run

    score_function = staticmethod(reference.bahdanau_scores)
    score_options = {}

    def everything(self, layer, inputs, mask, state):
        batch = len(inputs)
        own = {w.name: numbers(w)[0] for w in layer._trainable_variables}
        return reference.attention_cell(
            self.cell_equation(layer),
            self.score_function,
            {**named(layer.attention), **own},
            inputs,
            mask,
            np.tile(MEMORY, (batch, 1, 1)),
            np.tile(MEMORY_MASK, (batch, 1)),
            state,
            alignment_names=layer.attention.alignment_names,
            **self.fixed,
            **self.score_options,
        )

    def equation(self, layer, inputs, mask, state):
        return self.everything(layer, inputs, mask, state)[:3]

    def model(self):
        """The layer itself, as the fresh process has no `Reader`."""
        parts = self.parts_of(None)
        layer = AttentionCell(**parts, **self.fixed, return_state=True)
        symbols = [
            keras.Input((None, FEATURES)),
            keras.Input((None,), dtype="bool"),
            keras.Input((None, MEMORY_FEATURES)),
            keras.Input((None,), dtype="bool"),
            *(keras.Input((n,)) for n in layer.state_sizes),
        ]
        outputs = layer(
            symbols[0],
            mask=symbols[1],
            memory=symbols[2],
            memory_mask=symbols[3],
            initial_state=symbols[4:],
        )
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
        memory = np.tile(MEMORY, (BATCH, 1, 1)).astype("float32")
        given = [*some_data(), memory, np.tile(MEMORY_MASK, (BATCH, 1))]
        return keras.Model(symbols, outputs), [*given, *self.state(self.made())]

    def test_returns_weights_and_contexts(self):
        layer = self.made(return_attention=True, return_context=True)
        (inputs, mask), state = some_data(), self.state(layer)
        found = self.everything(layer, inputs, mask, state)
        close(self.run(layer, inputs, mask, state), [found[0], *found[3:]])
        _, weights, contexts = self.run(layer, inputs, mask, state)
        assert not weights[~mask].any() and not contexts[~mask].any()


class TestAfter(TestBefore):
    """A GRU, and Luong's attention, with input feeding."""

    variant = True
    fixed = {"attends": "after", "units": UNITS + 1}
    score_function = staticmethod(reference.luong_scores)
    score_options = {"score": "general", "scale": "learned"}
    cell_options = {"zoneout_h": 0.2}

    def parts_of(self, dtype):
        return {
            "cell": GRU(UNITS, dtype=dtype, **self.cell_options),
            "attention": LuongAttention("general", scale="learned", dtype=dtype),
        }

    def learner(self):
        # A GRU of so few units, which starts to forget, learns this on some seeds.
        cell = ZoneoutLSTM(12, zoneout_h=0.1)
        return self.make(cell=cell, units=12)

    def cell_equation(self, layer):
        weights = {k: v.astype("float64") for k, v in named(layer.cell).items()}

        def run(inputs, state):
            h = state[0]
            x = inputs[0] @ weights["kernel"] + weights["bias"][0]
            u = h @ weights["recurrent_kernel"] + weights["bias"][1]
            xz, xr, xg = np.split(x, 3, 1)
            uz, ur, ug = np.split(u, 3, 1)
            z, r = 1 / (1 + np.exp(-xz - uz)), 1 / (1 + np.exp(-xr - ur))
            new = z * h + (1 - z) * np.tanh(xg + r * ug)
            new = 0.2 * h + 0.8 * new
            return new, [new]

        return run


class TestAnyCellReverse(TestBefore):
    """A cell that runs by itself, with attention that reads alignments."""

    variant = True
    fixed = {"attends": "after", "reverse": True}
    parts = [("reverse", slice(None), slice(None))]
    cell_options = {"layer_norm": True, "zoneout_h": 0.2}
    score_function = staticmethod(reference.location_scores)

    def parts_of(self, dtype):
        attention = LocationSensitiveAttention(
            6, filters=2, kernel_size=3, reads="cumulative", dtype=dtype
        )
        cell = ZoneoutLSTM(UNITS, dtype=dtype, **self.cell_options)
        return {"cell": cell, "attention": attention}

    def learner(self):
        return self.make(cell=ZoneoutLSTM(12, layer_norm=True, zoneout_h=0.1))


def some_memory(dtype="float32"):
    """A memory of its own for each row, with padding, a hole and an empty row."""
    memory = np.random.default_rng(5).normal(size=(BATCH, SOURCE, MEMORY_FEATURES))
    mask = np.ones((BATCH, SOURCE), "bool")
    mask[1, 3:] = mask[2, 0] = mask[2, 2] = mask[3] = False
    return memory.astype(dtype), mask


def by_hand(layer, inputs, memory, memory_mask):
    """Outputs and weights of `layer`, by calling its parts step by step."""
    cell, attention = layer.cell, layer.attention
    state = [np.zeros((BATCH, n), "float32") for n in cell.state_sizes]
    alignments, outputs, weights = None, [], []
    own = np.zeros((BATCH, layer.units), "float32")

    def look(query, alignments):
        context, found = attention(
            query, memory, mask=memory_mask, alignments=alignments
        )
        if alignments is None:
            alignments = attention.initial_alignments(BATCH, SOURCE)
        return numbers(context)[0], found, attention.next_alignments(alignments, found)

    for t in range(inputs.shape[1]):
        if layer.attends == "before":
            fed, found, alignments = look(state[0], alignments)
        else:
            fed = own if layer.input_feeding else own[:, :0]
        x = np.concatenate([inputs[:, t], fed], 1).astype("float32")
        output, state = cell.step(x, state)
        if layer.attends == "after":
            context, found, alignments = look(output, alignments)
            joined = np.concatenate([context, numbers(output)[0]], 1)
            own = output = np.tanh(joined @ numbers(layer.output_kernel)[0])
        outputs.append(numbers(output)[0])
        weights.append(numbers(found)[0])
    return [np.stack(outputs, 1), np.stack(weights, 1)]


ATTENTIONS = {
    "coverage": lambda: BahdanauAttention(6, coverage=True, normalize=True),
    "dot": lambda: LuongAttention("dot", scale="sqrt"),
    "concat": lambda: LuongAttention("concat", units=6),
    "location": lambda: LocationSensitiveAttention(6, filters=2, kernel_size=3),
}
CELLS = {
    "gru": lambda: GRU(MEMORY_FEATURES, reset_after=False),
    "gru with biases": lambda: GRU(MEMORY_FEATURES, bias_initializer="normal"),
    "lstm without bias": lambda: ZoneoutLSTM(MEMORY_FEATURES, use_bias=False),
    "peepholes": lambda: ZoneoutLSTM(MEMORY_FEATURES, peepholes=True),
    "projection": lambda: ZoneoutLSTM(5, projection=MEMORY_FEATURES),
    "simple": lambda: zoo.layers.SimpleRNN(MEMORY_FEATURES),
    "ind_rnn": lambda: zoo.layers.IndRNN(MEMORY_FEATURES),
    "qrnn": lambda: zoo.layers.QRNN(MEMORY_FEATURES),
    "min_gru": lambda: zoo.layers.MinGRU(MEMORY_FEATURES),
}
MIXES = [
    ("coverage", "gru", {}),
    ("dot", "gru with biases", {}),
    ("concat", "lstm without bias", {"attends": "after", "units": 4}),
    ("location", "peepholes", {"attends": "after", "input_feeding": False}),
    ("dot", "projection", {}),
    ("coverage", "simple", {"attends": "after"}),
    ("dot", "ind_rnn", {"attends": "after"}),
    ("dot", "qrnn", {"attends": "after"}),
    ("concat", "min_gru", {}),
]


def mixed(attention, cell, options):
    keras.utils.set_random_seed(1)
    parts = CELLS[cell](), ATTENTIONS[attention]()
    layer = AttentionCell(
        *parts, return_sequences=True, return_attention=True, **options
    )
    layer.build((None, None, FEATURES), (None, None, MEMORY_FEATURES))
    return layer


class TestMixes:
    @pytest.mark.parametrize("mix", MIXES, ids=lambda mix: "-".join(mix[:2]))
    def test_equals_its_parts_step_by_step(self, mix):
        layer = mixed(*mix)
        inputs, (memory, mask) = some_data(time=4)[0], some_memory()
        got = numbers(layer(inputs, memory, memory_mask=mask))
        close(got, by_hand(layer, inputs, memory, mask))

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA by TensorFlow's own words")
    @pytest.mark.parametrize("mix", MIXES[3::2], ids=lambda mix: "-".join(mix[:2]))
    def test_any_mix_trains_compiled(self, mix):
        """Loops of a cell's own lie inside of the loop then, and its adjoint's."""
        import tensorflow as tf

        layer, (inputs, _) = mixed(*mix), some_data(time=4)
        memory, mask = some_memory()

        def run(inputs, memory):
            with tf.GradientTape() as tape:
                tape.watch([inputs, memory])
                outputs = layer(inputs, memory, memory_mask=mask)[0]
                loss = tf.reduce_sum(outputs**2)
            variables = [v.value for v in layer.trainable_variables]
            return tape.gradient(loss, [inputs, memory, *variables])

        arguments = tf.constant(inputs), tf.constant(memory)
        eager = numbers(run(*arguments))
        close(numbers(tf.function(run, jit_compile=True)(*arguments)), eager, 1e-4)
        assert all(gradient.any() for gradient in eager)


class TestMemory:
    def made(self, **options):
        policy = options.get("dtype")
        parts = ZoneoutLSTM(UNITS, dtype=policy), BahdanauAttention(6, dtype=policy)
        layer = AttentionCell(*parts, return_sequences=True, **options)
        layer.build((None, None, FEATURES), (None, None, MEMORY_FEATURES))
        return layer

    def test_padding_is_invisible(self):
        layer, (inputs, _) = self.made(return_attention=True), some_data()
        memory, mask = some_memory()
        wanted = numbers(layer(inputs, memory, memory_mask=mask))
        other = np.where(mask[..., None], memory, np.float32(np.nan))
        close(numbers(layer(inputs, other, memory_mask=mask)), wanted, 1e-6)
        hidden = ~np.broadcast_to(mask[:, None], wanted[1].shape)
        assert not wanted[1][hidden].any()

    def test_prepared_once_it_serves_many_calls(self):
        layer, (inputs, _) = self.made(), some_data()
        memory, mask = some_memory()
        wanted = numbers(layer(inputs, memory, memory_mask=mask))
        prepared = layer.prepare(memory, mask)
        close(numbers(layer(inputs, prepared)), wanted, 1e-6)
        state = None
        for t in range(inputs.shape[1]):
            output, state = layer.step(inputs[:, t], state, prepared)
            close(numbers(output), [wanted[0][:, t]])

    def test_beams_are_rows_that_can_be_gathered(self):
        layer, (inputs, _) = self.made(return_attention=True), some_data()
        memory, mask = some_memory()
        prepared = layer.prepare(memory, mask)
        _, state = layer.step(inputs[:, 0], None, prepared)
        wanted, _ = layer.step(inputs[:, 1], state, prepared)
        order = np.array([4, 2, 2, 0])
        rows = type(prepared)(*(ops.take(x, order, axis=0) for x in prepared))
        state = [ops.take(s, order, axis=0) for s in state]
        got, _ = layer.step(inputs[order, 1], state, rows)
        close(numbers(got), [x[order] for x in numbers(wanted)])

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="by TensorFlow's own words")
    def test_its_gradient_equals_finite_differences(self):
        import tensorflow as tf

        for attention in (
            BahdanauAttention(6, dtype="float64"),
            LuongAttention("general", dtype="float64"),
        ):
            cell = ZoneoutLSTM(UNITS, dtype="float64")
            layer = AttentionCell(cell, attention, dtype="float64")
            inputs, _ = some_data("float64")
            memory, mask = some_memory("float64")

            def loss(memory, layer=layer, inputs=inputs, mask=mask):
                return tf.reduce_sum(layer(inputs, memory, memory_mask=mask) ** 2)

            start = tf.constant(memory)
            with tf.GradientTape() as tape:
                tape.watch(start)
                value = loss(start)
            gradient = tape.gradient(value, start).numpy()
            way = np.random.default_rng(4).normal(size=memory.shape)
            slope = (loss(memory + 1e-6 * way) - loss(memory - 1e-6 * way)) / 2e-6
            np.testing.assert_allclose((gradient * way).sum(), slope, 1e-5, 1e-8)
            assert not gradient[~mask].any() and gradient[mask].all()

    @pytest.mark.parametrize("case", ["rank", "empty", "mask", "features", "prepared"])
    def test_what_does_not_fit_is_a_clear_error(self, case):
        layer, (inputs, _) = self.made(name="reader"), some_data()
        memory, mask = some_memory()
        wrong = {
            "rank": (memory[0], None),
            "empty": (memory[:, :0], None),
            "mask": (memory, mask[:, :-1]),
            "features": (memory[..., :2], mask),
            "prepared": (layer.prepare(memory), mask),
        }
        memory, mask = wrong[case]
        with pytest.raises(ValueError, match="'reader'"):
            layer(inputs, memory, memory_mask=mask)

    def test_a_step_needs_a_memory(self):
        layer = self.made(name="reader")
        with pytest.raises(ValueError, match="'reader'.*needs a `memory`"):
            layer.step(np.zeros((2, FEATURES), "float32"))
        with pytest.raises(ValueError, match="'reader'.*shape .batch, features."):
            layer.step(np.zeros((2, 1, FEATURES), "float32"), memory=some_memory()[0])

    def test_alignments_need_the_length_of_the_memory(self):
        attention = BahdanauAttention(6, coverage=True)
        layer = AttentionCell(ZoneoutLSTM(UNITS), attention, name="reader")
        with pytest.raises(ValueError, match="'reader'.*`source_time`"):
            layer.get_initial_state(2)
        shapes = [tuple(s.shape) for s in layer.get_initial_state(2, 7)]
        assert shapes == [(2, UNITS), (2, UNITS), (2, 7)]


class TestNoise:
    @pytest.mark.parametrize(
        "cell",
        [
            ZoneoutLSTM(8, dropout=0.4),
            ZoneoutLSTM(8, recurrent_dropout=0.4),
            ZoneoutLSTM(8, recurrent_dropconnect=0.4),
            ZoneoutLSTM(8, zoneout_h=0.4, layer_norm=True),
            GRU(8, dropout=0.4),
            GRU(8, recurrent_dropout=0.4),
            GRU(8, zoneout_h=0.4),
        ],
        ids=lambda cell: type(cell).__name__,
    )
    def test_the_cell_is_random_in_training(self, cell):
        (inputs, _), (memory, _) = some_data(), some_memory()
        runs = []
        for seed in (3, 3, 4):
            layer = AttentionCell(cell, LuongAttention("general"), seed=seed)
            layer(inputs, memory)
            layer.attention.set_weights([np.ones((MEMORY_FEATURES, 8))])
            runs.append(numbers(layer(inputs, memory, training=True))[0])
        close(runs[0], runs[1], 1e-6)
        calm = numbers(layer(inputs, memory))[0]
        for other in (runs[2], calm):
            assert (np.abs(runs[0] - other) > 1e-6).mean() > 0.3

    def test_zoneout_holds_other_units_in_every_step(self):
        for options in ({}, {"layer_norm": True}):
            cell = ZoneoutLSTM(50, zoneout_h=0.5, **options)
            layer = AttentionCell(
                cell, LuongAttention("general"), return_sequences=True
            )
            (inputs, _), (memory, _) = some_data(), some_memory()
            calls = [layer(inputs, memory, training=True) for _ in range(2)]
            held, later = (x[:, 1:] == x[:, :-1] for x in numbers(calls))
            assert 0.4 < held.mean() < 0.6
            # Neither the next step nor any step of the next call draws the same.
            for other in (held[:, :-1], later[:, 1:], later[:, :-1]):
                assert 0.3 < (held[:, 1:] == other).mean() < 0.7


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"cell": keras.layers.LSTM(3)}, "takes a recurrent layer of the zoo"),
            ({"cell": 3}, "takes a recurrent layer of the zoo"),
            ({"cell": ZoneoutLSTM(3, reverse=True)}, "takes `reverse` itself"),
            ({"cell": ZoneoutLSTM(3, return_state=True)}, "`return_state` itself"),
            ({"cell": zoo.layers.SimpleRNN(3, dropout=0.5)}, "one mask of `dropout`"),
            ({"cell": ZoneoutLSTM(3, dtype="float64")}, "share the dtype of states"),
            ({"attention": keras.layers.Attention()}, "takes an attention layer"),
            ({"attends": "between"}, "must be 'before' or 'after'"),
            ({"units": 4}, "of size 3. Received: units=4"),
            ({"units": 0}, "must be a positive integer"),
            ({"input_feeding": False}, "input_feeding=False is for"),
        ],
    )
    def test_bad_options(self, options, message):
        parts = {"cell": ZoneoutLSTM(3), "attention": LuongAttention("dot")}
        with pytest.raises(ValueError, match=f"'reader'.*{message}"):
            AttentionCell(**{**parts, "name": "reader", **options})

    def test_regularizer(self):
        layer = AttentionCell(
            ZoneoutLSTM(2),
            LuongAttention("general"),
            attends="after",
            kernel_initializer="ones",
            kernel_regularizer=keras.regularizers.L2(0.5),
        )
        layer.build((None, None, 3), (None, None, 4))
        close(numbers(layer.losses), [np.array(0.5 * 6 * 2)])
