"""What every attention layer promises."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double, numbers
from tests.contract import LayerContract, close, with_one
from tests.references.attention import attend

BATCH, QUERIES, SOURCE, QUERY_DIM, FEATURES = 4, 3, 5, 4, 4


def some_memory(dtype="float32", queries=True):
    """Query, values, and a mask with padding, a hole and a row of padding alone."""
    rng = np.random.default_rng(0)
    shape = (BATCH, QUERIES, QUERY_DIM) if queries else (BATCH, QUERY_DIM)
    query = rng.normal(size=shape).astype(dtype)
    values = rng.normal(size=(BATCH, SOURCE, FEATURES)).astype(dtype)
    mask = np.ones((BATCH, SOURCE), "bool")
    mask[1, 3:] = mask[2, 0] = mask[2, 2] = mask[3] = False
    return query, values, mask


class AttentionContract(LayerContract):
    """What every attention layer promises.

    Attributes:
        mixes: Dictionaries of options, for each of which the equation must hold.
    """

    mixes = [{}]

    def scores(self, weights, query, values, alignments, **options):
        """Scores of one query and row, by NumPy."""
        raise NotImplementedError

    def made(self, **options):
        """A layer whose weights are all random."""
        layer = self.make(**options)
        layer.build((None, QUERY_DIM), (None, SOURCE, FEATURES))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
        return layer

    def alignments(self, layer, query, dtype="float32"):
        rng = np.random.default_rng(3)
        shape = (*query.shape[:-1], SOURCE)
        return [rng.uniform(size=shape).astype(dtype) for _ in layer.alignment_names]

    def equation(self, layer, query, values, mask, alignments, **options):
        """Contexts and weights of many queries."""
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        shape = query.shape[:-1]
        contexts = np.zeros((*shape, values.shape[-1]))
        found = np.zeros((*shape, values.shape[1]))
        for place in np.ndindex(shape):
            contexts[place], found[place] = attend(
                self.scores,
                weights,
                query[place],
                values[place[0]],
                None if mask is None else mask[place[0]],
                [a[place] for a in alignments],
                **options,
            )
        return [contexts, found]

    def model(self):
        layer = self.made()
        inputs = [
            keras.Input((None, QUERY_DIM)),
            keras.Input((SOURCE, FEATURES)),
            keras.Input((SOURCE,), dtype="bool"),
        ]
        outputs = layer(inputs[0], inputs[1], mask=inputs[2])
        return keras.Model(inputs, outputs), list(some_memory())

    @pytest.mark.parametrize("queries", [False, True])
    def test_equals_the_equation(self, queries):
        query, values, mask = some_memory(queries=queries)
        for options in self.mixes:
            layer = self.made(**options)
            alignments = self.alignments(layer, query)
            options = {**self.required, **options}
            for valid in (None, mask):
                got = layer(query, values, mask=valid, alignments=alignments)
                wanted = self.equation(
                    layer, query, values, valid, alignments, **options
                )
                close(numbers(got), wanted)

    def test_float64(self):
        query, values, mask = some_memory("float64")
        with double():
            layer = self.made(dtype="float64", **self.mixes[-1])
            alignments = self.alignments(layer, query, "float64")
            got = numbers(layer(query, values, mask=mask, alignments=alignments))
            options = {**self.required, **self.mixes[-1]}
            wanted = self.equation(layer, query, values, mask, alignments, **options)
        assert {x.dtype.name for x in got} == {"float64"}
        close(got, wanted, 1e-12)

    def test_half_precision_keeps_weights_in_float32(self):
        query, values, mask = some_memory()
        layer = self.made(dtype="mixed_bfloat16")
        context, weights = layer(query, values, mask=mask)
        dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (context, weights)]
        assert dtypes == ["bfloat16", "float32"]
        wide = self.made()(query, values, mask=mask)
        close(numbers([context, weights]), numbers(wide), 0.1)
        close(numbers(weights)[0][:3].sum(-1), np.ones((3, QUERIES)), 1e-6)

    def test_projected_keys_give_the_same(self):
        (query, values, mask), layer = some_memory(), self.made()
        wanted = numbers(layer(query, values, mask=mask))
        keys = layer.project(values, mask=mask)
        close(numbers(layer(query, values, keys=keys, mask=mask)), wanted, 1e-6)
        (other,) = numbers(layer(query, values, keys=keys * 2, mask=mask)[1])
        assert (np.abs(other - wanted[1])[mask.any(1)].max() > 1e-3).all()

    def test_padding_is_invisible(self):
        (query, values, mask), layer = some_memory(), self.made()
        context, weights = wanted = numbers(layer(query, values, mask=mask))
        assert not weights[~mask[:, None].repeat(QUERIES, 1)].any()
        assert not context[3].any() and not weights[3].any()
        for junk in (1e30, np.nan, np.inf):
            other = np.where(mask[..., None], values, np.float32(junk))
            keys = layer.project(other)
            close(numbers(layer(query, other, mask=mask)), wanted, 1e-6)
            close(numbers(layer(query, other, keys=keys, mask=mask)), wanted, 1e-6)

    def test_many_queries_equal_single_ones(self):
        (query, values, mask), layer = some_memory(), self.made()
        alignments = self.alignments(layer, query)
        wanted = numbers(layer(query, values, mask=mask, alignments=alignments))
        for i in range(QUERIES):
            one = [a[:, i] for a in alignments]
            got = layer(query[:, i], values, mask=mask, alignments=one)
            close(numbers(got), [x[:, i] for x in wanted])

    def test_extreme_scores_stay_finite(self):
        (query, values, mask), layer = some_memory(), self.made()
        values = 1e4 * values
        for x in numbers(layer(1e4 * query, values, mask=mask)):
            assert np.isfinite(x).all()

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA by TensorFlow's own words")
    @pytest.mark.parametrize("jit", [False, True])
    def test_gradients_pass_padding_by(self, jit):
        import tensorflow as tf

        query, values, mask = some_memory()
        layer = self.made()
        alignments = self.alignments(layer, query)
        names = ("inputs", "weights")

        def run(query, values, mask):
            with tf.GradientTape() as tape:
                tape.watch([query, values])
                context, weights = layer(
                    query, values, mask=mask, alignments=alignments
                )
                loss = tf.reduce_sum(context**2) + tf.reduce_sum((weights + 1) ** 2)
            variables = [v.value for v in layer.trainable_variables]
            return tape.gradient(loss, [query, values, *variables])

        shapes = [(None, None, QUERY_DIM), (None, None, FEATURES), (None, None)]
        dtypes = ["float32", "float32", "bool"]
        signature = list(map(tf.TensorSpec, shapes, dtypes))
        graph = tf.function(run, input_signature=signature, jit_compile=jit)
        clean = run(*map(tf.constant, (query, values, mask)))
        values[~mask] = np.nan
        for function in (run, graph):
            found = numbers(function(*map(tf.constant, (query, values, mask))))
            close(found, numbers(clean), 1e-4)
            assert not found[1][~mask].any(), names
            assert not found[0][3].any()
            assert all(gradient.any() for gradient in found)

    def test_symbolic_shapes_equal_real_ones(self):
        layer = self.made()
        real = layer(*some_memory()[:2])
        symbols = layer(
            keras.Input(batch_shape=(BATCH, QUERIES, QUERY_DIM)),
            keras.Input(batch_shape=(BATCH, SOURCE, FEATURES)),
        )
        for symbol, tensor in zip(symbols, real, strict=True):
            assert tuple(symbol.shape) == tuple(tensor.shape)
        unknown = layer(keras.Input((QUERY_DIM,)), keras.Input((None, FEATURES)))
        assert [x.shape for x in unknown] == [(None, FEATURES), (None, None)]

    @pytest.mark.parametrize(
        "case",
        ["query", "query size", "values", "size", "source", "mask", "keys"]
        + ["finite query", "finite values"],
    )
    def test_what_does_not_fit_is_a_clear_error(self, case):
        (query, values, mask), layer = some_memory(), self.made()
        wrong = {
            "query": (query[0, 0], values, mask, None),
            "query size": (query[..., :2], values, mask, None),
            "values": (query, values[0], mask, None),
            "size": (query, values[..., :2], mask, None),
            "source": (query, values[:, :0], None, None),
            "mask": (query, values, mask[:, :-1], None),
            "keys": (query, values, mask, values[:, :-1]),
            "finite query": (with_one(query, np.nan), values, mask, None),
            "finite values": (query, with_one(values, np.inf), None, None),
        }
        query, values, mask, keys = wrong[case]
        with pytest.raises(ValueError, match=f"'{layer.name}'.*[Rr]eceived"):
            layer(query, values, mask=mask, keys=keys)

    def test_a_mask_may_be_a_list(self):
        (query, values, mask), layer = some_memory(), self.made()
        wanted = numbers(layer(query, values, mask=mask))
        close(numbers(layer(query, values, mask=mask.tolist())), wanted)

    def test_wrong_alignments_are_a_clear_error(self):
        (query, values, _), layer = some_memory(), self.made()
        with pytest.raises(ValueError, match=f"'{layer.name}'.*alignments"):
            layer(query, values, alignments=[values, values, values])

    def test_alignments_of_the_next_step(self):
        (query, values, mask), layer = some_memory(queries=False), self.made()
        start = layer.initial_alignments(BATCH, SOURCE)
        first = numbers(layer(query, values, mask=mask)[1])[0]
        state = layer.next_alignments(start, ops.convert_to_tensor(first))
        state = layer.next_alignments(state, ops.convert_to_tensor(first))
        factors = {"previous": 1, "cumulative": 2}
        wanted = [factors[name] * first for name in layer.alignment_names]
        close(numbers(state), wanted, 1e-6)
