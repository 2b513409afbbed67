import keras
import numpy as np
import pytest

from tests.attention_contract import AttentionContract
from tests.references.attention import luong_scores
from zoo.layers.luong_attention import LuongAttention


class TestLuongAttention(AttentionContract):
    layer_class = LuongAttention
    required = {"score": "general"}
    options = {
        "score": "concat",
        "units": 7,
        "scale": "learned",
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "kernel_regularizer": keras.regularizers.L2(0.01),
    }
    mixes = [
        {},
        {"score": "dot"},
        {"score": "dot", "scale": "sqrt"},
        {"score": "concat", "scale": "sqrt"},
        {"score": "concat", "units": 6},
        {"scale": "learned"},
    ]
    scores = staticmethod(luong_scores)


class TestOptions:
    @pytest.mark.parametrize("score", ["add", None, 1])
    def test_bad_scores(self, score):
        with pytest.raises(ValueError, match="'look' must be one of 'dot', 'general'"):
            LuongAttention(score, name="look")

    @pytest.mark.parametrize("scale", ["half", 2, True])
    def test_bad_scales(self, scale):
        with pytest.raises(ValueError, match="'look' must be one of None, 'sqrt'"):
            LuongAttention("dot", scale=scale, name="look")

    @pytest.mark.parametrize("units", [0, -1, 2.0, True, "3"])
    def test_bad_units(self, units):
        with pytest.raises(ValueError, match="'look' must be a positive integer"):
            LuongAttention("concat", units=units, name="look")

    def test_units_without_a_use(self):
        with pytest.raises(ValueError, match="'look' is for score='concat' alone"):
            LuongAttention("dot", units=3, name="look")

    def test_dot_needs_one_size(self):
        layer = LuongAttention("dot", name="look")
        with pytest.raises(ValueError, match="'look'.*score='general' takes any"):
            layer(np.zeros((2, 3), "float32"), np.zeros((2, 5, 4), "float32"))
