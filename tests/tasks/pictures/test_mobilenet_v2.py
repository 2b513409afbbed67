"""MobileNetV2: the network of its paper, and smaller ones."""

import keras
import numpy as np
import pytest

from tasks.pictures import picture_net
from tasks.pictures.mobilenet_v2 import net


def test_it_is_the_network_of_the_paper():
    """Weights of Keras' own network, its normalisation folded in, answer alike."""
    theirs = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    random = np.random.default_rng(0)
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            layer.set_weights([random.uniform(0.5, 1.5, size) for _ in range(4)])
    ours = net(64)
    own = [layer for layer in ours.layers if layer.weights]
    convolutions = [x for x in theirs.layers if isinstance(x, keras.layers.Conv2D)]
    convolutions += [
        x for x in theirs.layers if isinstance(x, keras.layers.DepthwiseConv2D)
    ]
    convolutions = [x for x in theirs.layers if x in convolutions]
    norms = [x for x in theirs.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(own) == len(convolutions) == len(norms) == 52
    for layer, convolution, norm in zip(own, convolutions, norms, strict=True):
        gamma, beta, mean, variance = norm.get_weights()
        scale = gamma / np.sqrt(variance + norm.epsilon)
        kernel = convolution.get_weights()[0]
        depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
        shape = (1, 1, -1, 1) if depthwise else (1, 1, 1, -1)
        layer.set_weights([kernel * scale.reshape(shape), beta - mean * scale])
    pictures = random.integers(0, 256, (1, 64, 64, 3)).astype("float32")
    wanted = theirs.predict_on_batch(pictures / 128 - 1)
    found = ours.predict_on_batch(pictures)
    assert found.shape == (1, 2, 2, 1280)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "options, shape",
    [
        ({"blocks": 1, "head": False}, (16, 16, 16)),
        ({"blocks": 3, "width": 0.25, "head": False}, (8, 8, 8)),
        ({"blocks": 4, "width": 0.1}, (4, 4, 1280)),
    ],
)
def test_smaller_nets_have_smaller_regions(options, shape):
    made = picture_net("mobilenet_v2", 32, options)
    assert made.output_shape == (None, *shape)
    assert not made.trainable_weights


@pytest.mark.parametrize("options", [{"blocks": 0}, {"blocks": 18}, {"width": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="`blocks` must be from 1 to 17"):
        picture_net("mobilenet_v2", 32, options)


def test_nets_that_are_not_there_are_told():
    with pytest.raises(ValueError, match="no net 'vgg'.*mobilenet_v2"):
        picture_net("vgg", 32)
