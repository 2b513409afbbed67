"""Converts published weights of nets for pictures, and checks them.

    python -m tasks.pictures.convert mobilenet_v2_1.0_224_quant.tflite net.weights.h5

reads a quantised TensorFlow Lite file: its integers times their scales are the float32
weights. Every layer is given what the source's own layer was given on some pictures,
and must answer what that one answered, up to the source's rounding.

Source: https://github.com/google-coral/test_data at commit
104342d2d3480b3e66203073dac24f4e2dbb4c41 (Apache-2.0; Google's MobileNetV2, 224 pixels,
trained on ImageNet with quantisation in mind).
"""

import argparse
import importlib
import warnings

import keras
import numpy as np
from keras import ops

from tasks.pictures import picture_net
from zoo.lazy import tf

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


class Source:
    """A quantised net in a TensorFlow Lite file.

    Args:
        path: Its path.

    Attributes:
        size: Height and width of its pictures.
        layers: List of dicts, its convolutions in their order.
    """

    def __init__(self, path):
        self.interpreter = _interpreter(path)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.size = int(self.input["shape"][1])
        self._details = {t["index"]: t for t in self.interpreter.get_tensor_details()}
        self.layers = [
            operation
            for operation in self.interpreter._get_ops_details()
            if operation["op_name"] in CONVOLUTIONS
        ]

    def floats(self, index):
        """A tensor as float32: `(q - zero point) * scale`, by channel if it is so."""
        details = self._details[index]["quantization_parameters"]
        scales, zeros = details["scales"], details["zero_points"]
        shape = [1] * len(self._details[index]["shape"])
        if len(scales) > 1:
            shape[details["quantized_dimension"]] = -1
        raw = self.interpreter.get_tensor(index).astype("float64")
        values = (raw - zeros.reshape(shape)) * scales.astype("float64").reshape(shape)
        return values.astype("float32")

    def step(self, index):
        """What the source rounds a tensor to."""
        return float(self._details[index]["quantization_parameters"]["scales"][0])

    def weights(self, layer):
        """Kernel and bias of a convolution, as Keras has them."""
        kernel, bias = (self.floats(int(i)) for i in layer["inputs"][1:3])
        # (out, rows, columns, in) and, depthwise, (1, rows, columns, out).
        return kernel.transpose(1, 2, 3, 0), bias

    def run(self, picture):
        """Reads a picture `(size, size, 3)` of uint8; tensors then can be had."""
        self.interpreter.set_tensor(self.input["index"], picture[None])
        self.interpreter.invoke()


def _interpreter(path):
    try:
        kind = importlib.import_module("ai_edge_litert.interpreter").Interpreter
        return kind(str(path), experimental_preserve_all_tensors=True)
    except ModuleNotFoundError:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it moves to the package above
            return tf.lite.Interpreter(
                str(path), experimental_preserve_all_tensors=True
            )


def convert(path, net):
    """Gives a net the weights of a file.

    Args:
        path: Path of a `.tflite` file.
        net: `keras.Model` with the same convolutions in the same order; the file may
            have more at its end.

    Returns:
        The `Source`.

    Raises:
        ValueError: If the two are not alike.
    """
    source = Source(path)
    for layer, other in zip(convolutions(net), source.layers, strict=False):
        wanted = [tuple(w.shape) for w in layer.weights]
        arrays = source.weights(other)
        if wanted != [a.shape for a in arrays]:
            raise ValueError(
                f"{path}: {layer.name} needs weights of shapes {wanted}. Found: "
                f"{[a.shape for a in arrays]}"
            )
        layer.set_weights(arrays)
    if len(source.layers) < len(convolutions(net)):
        raise ValueError(
            f"{path} has {len(source.layers)} convolutions; the net has "
            f"{len(convolutions(net))}."
        )
    return source


def convolutions(net):
    """The layers of a net that have weights, in their order."""
    return [layer for layer in net.layers if layer.weights]


def largest_error(source, net, pictures):
    """How far the layers of a net are from those of its source, given the same.

    Args:
        source: `Source`.
        net: `keras.Model` of `convert`.
        pictures: Arrays `(size, size, 3)` of uint8.

    Returns:
        The largest difference of all values, in steps that the source rounds to: half
        of one where all is right and the source rounds to the nearest.
    """
    worst = 0.0
    for picture in pictures:
        source.run(picture)
        for layer, other in zip(convolutions(net), source.layers, strict=False):
            given, answer = int(other["inputs"][0]), int(other["outputs"][0])
            found = ops.convert_to_numpy(layer(source.floats(given)))
            wanted = source.floats(answer)
            # What the source cannot tell, it cuts off.
            found = np.clip(found, *source_range(source, answer))
            difference = float(np.max(np.abs(found - wanted)))
            worst = max(worst, difference / source.step(answer))
    return worst


def source_range(source, index):
    """The least and the largest number that a quantised tensor can hold."""
    details = source._details[index]
    limits = np.iinfo(details["dtype"])
    parameters = details["quantization_parameters"]
    zero, scale = parameters["zero_points"][0], parameters["scales"][0]
    return (limits.min - zero) * scale, (limits.max - zero) * scale


def main(argv=None):
    """Converts a file, and tells how well."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="a .tflite file")
    parser.add_argument("output", help="a .weights.h5 file to write")
    parser.add_argument("--net", default="mobilenet_v2", help="default: %(default)s")
    args = parser.parse_args(argv)
    keras.backend.set_floatx("float32")
    net = picture_net(args.net, Source(args.source).size)
    source = convert(args.source, net)
    pictures = np.random.default_rng(0).integers(
        0, 256, (2, source.size, source.size, 3), "uint8"
    )
    worst = largest_error(source, net, pictures)
    print(f"{len(convolutions(net))} layers, largest error {worst:.2f} steps")
    if worst > 1.01:
        raise ValueError(f"{args.source}: the net answers otherwise than its source.")
    net.save_weights(args.output)
    return worst


if __name__ == "__main__":
    main()
