"""Step by step, and chunk by chunk: both equal the whole sequence."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

import zoo.streams
from tests.backend import BACKEND, numbers
from zoo.layers import Bidirectional, Stack, ZoneoutLSTM
from zoo.streams import Stream, carry, compiled_step, contiguous_batches

FEATURES, UNITS = 3, 4


ALL = {"return_sequences": True, "return_state": True}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def lstm(**options):
    layer = ZoneoutLSTM(UNITS, zoneout_c=0.3, **ALL, **options)
    layer.build((None, None, FEATURES))
    layer.set_weights([normal(*w.shape, seed=1) / 2 for w in layer.weights])
    return layer


def close(got, wanted, tolerance=1e-5):
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


LAYERS = {
    "plain": lambda: lstm(),
    "variants": lambda: lstm(peepholes=True, projection=2, layer_norm=True),
    "without bias": lambda: lstm(use_bias=False),
    "half": lambda: lstm(dtype="mixed_bfloat16"),
    "stack": lambda: Stack.of("zoneout_lstm", UNITS, 2, connection="dense", **ALL),
}


class TestStream:
    @pytest.mark.parametrize("rows", [1, 2])
    @pytest.mark.parametrize("name", LAYERS)
    def test_equals_the_whole_sequence(self, name, rows):
        inputs, layer = normal(rows, 7, FEATURES), LAYERS[name]()
        wanted, *end = numbers(layer(inputs))
        stream = Stream(layer)
        for _ in range(2):
            outputs = [numbers(stream(inputs[:, t]))[0] for t in range(7)]
            close(np.stack(outputs, 1), wanted, 0.05 if name == "half" else 1e-5)
            for got, state in zip(numbers(stream.state), end, strict=True):
                close(got, state, 0.05 if name == "half" else 1e-5)
            stream.reset()

    def test_builds_a_layer(self):
        layer = ZoneoutLSTM(UNITS)
        (output,) = numbers(Stream(layer)(normal(2, FEATURES)))
        close(output, numbers(layer(normal(2, FEATURES)[:, None]))[0])

    def test_weights_may_change(self):
        layer = lstm()
        stream, x = Stream(layer), normal(1, FEATURES)
        stream(x)
        layer.set_weights([-w for w in layer.get_weights()])
        stream.reset()
        close(numbers(stream(x))[0], numbers(layer(x[:, None])[0])[0][:, 0])

    @pytest.mark.skipif(BACKEND == "torch", reason="torch runs steps as they are")
    def test_is_compiled_once(self):
        layer, traces = lstm(), []
        step = layer.step
        layer.step = lambda *args: traces.append(1) or step(*args)
        stream = Stream(layer)
        for _ in range(4):
            stream(normal(1, FEATURES))
        assert len(traces) == 1

    def test_a_compiled_step_takes_and_gives_states(self):
        layer, x = lstm(), normal(2, FEATURES)
        step = layer.compiled_step()
        state = [normal(2, UNITS, seed=s) for s in (2, 3)]
        output, new = step(x, state)
        wanted, *end = numbers(layer(x[:, None], initial_state=state))
        close(numbers(output)[0], wanted[:, 0])
        for got, other in zip(numbers(new), end, strict=True):
            close(got, other)
        assert isinstance(new, list)
        np.testing.assert_array_equal(state[0], normal(2, UNITS, seed=2))

    def test_a_layer_that_is_not_built(self):
        with pytest.raises(ValueError, match="'tagger' must be built"):
            compiled_step(ZoneoutLSTM(3, name="tagger"))

    @pytest.mark.parametrize(
        "layer",
        [
            lambda: ZoneoutLSTM(3, reverse=True, name="tagger"),
            lambda: Bidirectional(ZoneoutLSTM(3), name="tagger"),
            lambda: keras.layers.Dense(3, name="tagger"),
        ],
    )
    def test_layers_that_cannot_stream(self, layer):
        with pytest.raises(ValueError, match="'tagger'"):
            Stream(layer())

    @pytest.mark.parametrize(
        "shape", [(FEATURES,), (1, 1, FEATURES), (1, FEATURES + 1)]
    )
    def test_inputs_that_do_not_fit(self, shape):
        layer = lstm(name="tagger")
        for run in (layer.step, Stream(layer)):
            with pytest.raises(ValueError, match="'tagger'"):
                run(normal(*shape))

    @pytest.mark.parametrize(
        "shapes", [[(1, UNITS)], [(1, UNITS), (1, 2)], [(UNITS,)] * 2]
    )
    def test_states_that_do_not_fit(self, shapes):
        layer = lstm(name="tagger")
        state = [normal(*shape) for shape in shapes]
        for run in (layer.step, layer.compiled_step()):
            with pytest.raises(ValueError, match="'tagger'.*initial_state"):
                run(normal(1, FEATURES), state)


class TestContiguousBatches:
    def test_order(self):
        documents = [
            np.arange(a, a + n) for a, n in ((10, 5), (20, 2), (30, 4), (40, 0))
        ]
        batches = list(contiguous_batches(documents, rows=2, chunk=2))
        values = [batch.values.tolist() for batch in batches]
        assert values == [
            [[10, 11], [20, 21]],
            [[12, 13], [30, 31]],
            [[14, 0], [32, 33]],
        ]
        masks = [batch.mask.astype(int).tolist() for batch in batches]
        assert masks == [[[1, 1], [1, 1]], [[1, 1], [1, 1]], [[1, 0], [1, 1]]]
        fresh = [batch.fresh.tolist() for batch in batches]
        assert fresh == [[True, True], [False, True], [False, False]]

    def test_rows_that_find_no_document(self):
        (batch,) = contiguous_batches([np.ones((2, 3))], rows=2, chunk=4)
        assert batch.mask.tolist() == [[True, True, False, False], [False] * 4]
        assert batch.values.shape == (2, 4, 3)
        assert not batch.values[~batch.mask].any()

    def test_one_long_stream(self):
        batches = list(contiguous_batches(np.arange(11), rows=2, chunk=4))
        rows = [
            np.concatenate([b.values[row][b.mask[row]] for b in batches])
            for row in (0, 1)
        ]
        assert [row.tolist() for row in rows] == [list(range(6)), list(range(6, 11))]
        assert [b.fresh.tolist() for b in batches] == [[True] * 2, [False] * 2]

    def test_inputs_with_targets(self):
        documents = ((np.ones((n, 3)), np.arange(n)) for n in (3, 2))
        (batch, last) = contiguous_batches(documents, rows=2, chunk=2)
        inputs, targets = batch.values
        assert inputs.shape == (2, 2, 3)
        assert targets.tolist() == [[0, 1], [0, 1]]
        assert last.values[1].tolist() == [[2, 0], [0, 0]]

    def test_lazy(self):
        def endless():
            while True:
                yield np.ones(3)

        batches = contiguous_batches(endless(), rows=2, chunk=2)
        assert next(batches).values.shape == (2, 2)

    def test_nothing(self):
        assert list(contiguous_batches([], rows=2, chunk=2)) == []
        assert list(contiguous_batches([np.ones(0)], rows=2, chunk=2)) == []

    @pytest.mark.parametrize("value", [0, -1, 2.0, True, None])
    @pytest.mark.parametrize("name", ["rows", "chunk"])
    def test_bad_sizes(self, name, value):
        options = {"rows": 2, "chunk": 2, name: value}
        with pytest.raises(ValueError, match=f"`{name}` must be a positive integer"):
            next(contiguous_batches([np.ones(3)], **options))

    def test_parts_of_different_lengths(self):
        document = (np.ones(3), np.ones(2))
        with pytest.raises(ValueError, match=r"Document 0 .*\[3, 2\]"):
            next(contiguous_batches([document], rows=1, chunk=2))


class TestTruncatedBackpropagation:
    def test_carrying_equals_whole_documents(self):
        layer = lstm()
        documents = [normal(n, FEATURES, seed=n) for n in (7, 4, 9, 1, 5)]
        whole = [numbers(layer(x[None]))[0][0] for x in documents]
        state, read = layer.get_initial_state(2), [[], []]
        for batch in contiguous_batches(documents, rows=2, chunk=3):
            state = carry(state, batch.fresh)
            y, *state = layer(batch.values, mask=batch.mask, initial_state=state)
            y = numbers(y)[0]
            for row in range(2):
                if batch.fresh[row]:
                    read[row].append([])
                read[row][-1] += list(y[row][batch.mask[row]])
        got = [np.array(y) for row in read for y in row if y]
        assert len(got) == len(whole)
        for wanted in whole:
            (same,) = [y for y in got if len(y) == len(wanted)]
            close(same, wanted)

    def gradient(self, carried):
        """Of the second chunk's outputs, by the inputs of both chunks."""
        layer, inputs = lstm(), normal(2, 6, FEATURES)

        def loss(x):
            _, *state = layer(x[:, :3])
            state = carried(state)
            y, *_ = layer(x[:, 3:], initial_state=state)
            return ops.sum(y)

        if BACKEND == "tensorflow":
            import tensorflow as tf

            x = tf.constant(inputs)
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(x)
            return tape.gradient(value, x).numpy()
        if BACKEND == "jax":
            import jax

            return np.asarray(jax.grad(loss)(jax.numpy.asarray(inputs)))
        import torch

        x = torch.tensor(inputs, requires_grad=True)
        return torch.autograd.grad(loss(x), x)[0].numpy()

    def test_gradients_are_cut_between_chunks(self):
        whole = self.gradient(lambda state: state)
        cut = self.gradient(lambda state: carry(state, np.zeros(2, "bool")))
        assert whole[:, :3].all()
        assert not cut[:, :3].any()
        close(cut[:, 3:], whole[:, 3:])

    def test_fresh_rows_begin_with_zeros(self):
        state = carry([normal(3, 4), normal(3, 2)], np.array([True, False, True]))
        for got, given in zip(
            numbers(state), (normal(3, 4), normal(3, 2)), strict=True
        ):
            assert not got[[0, 2]].any()
            close(got[1], given[1])

    def test_a_broken_state_does_not_reach_a_fresh_row(self):
        (state,) = numbers(carry([np.full((1, 2), np.nan, "float32")], [True]))
        assert not state.any()


def test_the_example_runs():
    results = doctest.testmod(zoo.streams)
    assert results.attempted > 5
    assert not results.failed
