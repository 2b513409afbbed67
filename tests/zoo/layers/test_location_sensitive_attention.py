import keras
import numpy as np
import pytest

from tests.attention_contract import AttentionContract
from tests.backend import numbers
from tests.references.attention import location_scores
from zoo.layers.location_sensitive_attention import LocationSensitiveAttention


class TestLocationSensitiveAttention(AttentionContract):
    layer_class = LocationSensitiveAttention
    required = {"units": 6, "filters": 2, "kernel_size": 3, "reads": "both"}
    options = {
        "units": 7,
        "filters": 4,
        "kernel_size": 5,
        "reads": "cumulative",
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
    }
    mixes = [
        {},
        {"reads": "previous", "kernel_size": 4},
        {"reads": "cumulative", "use_bias": False, "kernel_size": 9},
    ]
    scores = staticmethod(location_scores)


class TestOptions:
    @pytest.mark.parametrize("name", ["units", "filters", "kernel_size"])
    @pytest.mark.parametrize("size", [0, -1, 2.0, True, "3", None])
    def test_bad_sizes(self, name, size):
        options = {"units": 3, name: size}
        with pytest.raises(ValueError, match=f"`{name}` of layer 'look' must be a pos"):
            LocationSensitiveAttention(name="look", **options)

    def test_bad_reads(self):
        with pytest.raises(ValueError, match="'look' must be one of 'previous'"):
            LocationSensitiveAttention(3, reads="all", name="look")

    def test_it_can_move_on(self):
        """A filter that looks one place to the left moves the alignment right."""
        layer = LocationSensitiveAttention(1, filters=1, kernel_size=3)
        query, values = np.zeros((1, 2), "float32"), np.zeros((1, 6, 2), "float32")
        layer.build(query.shape, values.shape)
        for weight in (layer.query_kernel, layer.key_kernel, layer.bias):
            weight.assign(np.zeros(weight.shape))
        layer.location_filters.assign(np.array([1.0, 0, 0])[:, None, None])
        layer.location_kernel.assign([[5.0]])
        layer.vector.assign([20.0])
        alignment = np.eye(6, dtype="float32")[:1]
        for place in range(1, 6):
            _, weights = layer(query, values, alignments=[alignment])
            (alignment,) = numbers(layer.next_alignments([alignment], weights))
            assert alignment[0].argmax() == place
