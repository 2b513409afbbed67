"""Layers say the shapes of their outputs before they have run."""

import keras
import numpy as np
import pytest

from tests.backend import numbers
from zoo import layers


def cell():
    return layers.AttentionCell(
        layers.GRU(5),
        layers.BahdanauAttention(6),
        return_sequences=True,
        return_attention=True,
    )


@pytest.mark.parametrize(
    ("layer", "shapes", "wanted"),
    [
        (layers.CRF(3), [(2, None, 3)], (2, None)),
        (layers.SequenceBatchNormalization(), [(2, None, 3)], (2, None, 3)),
        (
            layers.Hierarchical(layers.GRU(4), layers.QRNN(5, return_sequences=True)),
            [(2, 6, None, 3)],
            (2, 6, 5),
        ),
        (layers.LuongAttention("dot"), [(2, 4, 3), (2, 7, 3)], ((2, 4, 3), (2, 4, 7))),
        (layers.BahdanauAttention(9), [(2, 3), (2, 7, 5)], ((2, 5), (2, 7))),
        (cell(), [(2, 4, 3), (2, 7, 8)], ((2, 4, 5), (2, 4, 7))),
    ],
    ids=lambda x: x.name if isinstance(x, keras.Layer) else "",
)
def test_says_its_shapes(layer, shapes, wanted):
    assert layer.compute_output_shape(*shapes) == wanted
    known = [tuple(n or 5 for n in shape) for shape in shapes]
    rng = np.random.default_rng(0)
    found = numbers(layer(*(rng.normal(size=n).astype("float32") for n in known)))
    sizes = layer.compute_output_shape(*known)
    assert [x.shape for x in found] == (
        list(sizes) if isinstance(sizes[0], tuple) else [sizes]
    )


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"'g'.*takes inputs of shape.*\(2, 3\)"):
        layers.GRU(4, name="g").compute_output_shape((2, 3))


def test_keras_can_run_a_layer_at_each_place():
    inputs = keras.Input((None, 6, 3))
    outputs = keras.layers.TimeDistributed(layers.QRNN(4))(inputs)
    assert outputs.shape == (None, None, 4)
    model = keras.Model(inputs, outputs)
    given = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    (found,) = numbers(model(given))
    for k in range(5):
        (alone,) = numbers(model.layers[-1].layer(given[:, k]))
        np.testing.assert_allclose(found[:, k], alone, atol=1e-6)
