import keras
import numpy as np
import pytest

from tests.attention_contract import AttentionContract, some_memory
from tests.backend import numbers
from tests.contract import close
from tests.references.attention import bahdanau_scores
from zoo.layers.bahdanau_attention import BahdanauAttention


class TestBahdanauAttention(AttentionContract):
    layer_class = BahdanauAttention
    required = {"units": 6}
    options = {
        "units": 7,
        "coverage": True,
        "normalize": True,
        "use_bias": True,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
    }
    mixes = [
        {},
        {"coverage": True},
        {"normalize": True, "use_bias": True, "coverage": True},
    ]
    scores = staticmethod(bahdanau_scores)


class TestCoverage(TestBahdanauAttention):
    required = {"units": 6, "coverage": True, "normalize": True, "use_bias": True}
    mixes = [{}]


class TestOptions:
    @pytest.mark.parametrize("units", [0, -1, 2.0, True, "3", None])
    def test_bad_units(self, units):
        with pytest.raises(ValueError, match="'look' must be a positive integer"):
            BahdanauAttention(units, name="look")

    def test_the_gain_starts_at_the_papers_value(self):
        layer = BahdanauAttention(16, normalize=True)
        layer.build((None, 2), (None, None, 3))
        close(numbers(layer.gain)[0], np.array(0.25))

    def test_matrices_differ_from_the_start(self):
        """An initialiser that is used twice would repeat itself."""
        layer = BahdanauAttention(4)
        layer.build((None, 3), (None, None, 3))
        assert (numbers(layer.query_kernel)[0] != numbers(layer.key_kernel)[0]).all()

    def test_regularizer(self):
        half = keras.regularizers.L2(0.5)
        layer = BahdanauAttention(2, kernel_initializer="ones", kernel_regularizer=half)
        layer.build((None, 3), (None, None, 4))
        close(numbers(layer.losses), [np.array(3.0), np.array(4.0)])

    def test_coverage_turns_from_what_was_read(self):
        query, values, _ = some_memory(queries=False)
        layer = BahdanauAttention(6, coverage=True)
        layer.build(query.shape, values.shape)
        layer.vector.assign(np.ones(6, "float32"))
        layer.coverage_vector.assign(np.full(6, -9.0, "float32"))
        read = np.zeros((4, 5), "float32")
        read[:, 2] = 1
        before = numbers(layer(query, values)[1])[0]
        after = numbers(layer(query, values, alignments=[read])[1])[0]
        assert (after[:, 2] < before[:, 2]).all()
