"""Conversion of quantised nets: equal layers, and faults that are noticed."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from tasks.pictures import convert, picture_net

tf = pytest.importorskip("tensorflow")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of TensorFlow Lite's own
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="files are read by TensorFlow"
    ),
]
SMALL = {"blocks": 2, "width": 0.25}
SIZE = 16


@pytest.fixture(scope="module")
def original():
    keras.utils.set_random_seed(0)
    net = picture_net("mobilenet_v2", SIZE, SMALL)
    random = np.random.default_rng(0)
    for layer in convert.convolutions(net):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * 2, random.normal(0, 0.3, bias.shape)])
    return net


@pytest.fixture(scope="module")
def file(original, tmp_path_factory):
    """The net as a quantised file, as others publish them."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    random = np.random.default_rng(1)

    def pictures():
        for _ in range(20):
            yield [random.integers(0, 256, (1, SIZE, SIZE, 3)).astype("float32")]

    run = tf.function(lambda x: original(x, training=False))
    spec = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)
    frozen = convert_variables_to_constants_v2(run.get_concrete_function(spec))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    path = tmp_path_factory.mktemp("net") / "net.tflite"
    path.write_bytes(converter.convert())
    return path


def some_pictures():
    random = np.random.default_rng(2)
    return random.integers(0, 256, (2, SIZE, SIZE, 3), "uint8")


def test_weights_are_those_that_were_quantised(file, original):
    net = picture_net("mobilenet_v2", SIZE, SMALL)
    convert.convert(file, net)
    for ours, theirs in zip(
        convert.convolutions(net), convert.convolutions(original), strict=True
    ):
        kernel, bias = theirs.get_weights()
        step = np.abs(kernel).max() / 127
        np.testing.assert_allclose(ours.get_weights()[0], kernel, atol=0.51 * step)
        np.testing.assert_allclose(ours.get_weights()[1], bias, atol=1e-3)


def test_layers_answer_as_the_source_does(file):
    net = picture_net("mobilenet_v2", SIZE, SMALL)
    source = convert.convert(file, net)
    assert convert.largest_error(source, net, some_pictures()) < 1.01


def test_a_wrong_layer_is_noticed(file):
    net = picture_net("mobilenet_v2", SIZE, SMALL)
    source = convert.convert(file, net)
    layer = convert.convolutions(net)[3]
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel[::-1, ::-1], bias + 0.1])
    assert convert.largest_error(source, net, some_pictures()) > 2


@pytest.mark.parametrize(
    "options, words",
    [
        ({**SMALL, "width": 0.5}, "needs weights of shapes"),
        ({**SMALL, "blocks": 3, "head": False}, "needs weights|convolutions"),
    ],
)
def test_another_net_is_refused(file, options, words):
    with pytest.raises(ValueError, match=words):
        convert.convert(file, picture_net("mobilenet_v2", SIZE, options))


def test_the_published_file_is_converted_rightly():
    folder = Path(os.environ.get("ZOO_DATA_DIR", "nowhere")) / "cnn_mobilenet_tflite"
    path = folder / "mobilenet_v2_1.0_224_quant.tflite"
    if not path.is_file():
        pytest.skip("the net is not in ZOO_DATA_DIR")
    net = picture_net("mobilenet_v2", 224)
    source = convert.convert(path, net)
    picture = np.random.default_rng(0).integers(0, 256, (224, 224, 3), "uint8")
    assert convert.largest_error(source, net, [picture]) < 0.51
