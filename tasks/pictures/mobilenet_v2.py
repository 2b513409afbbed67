"""MobileNetV2 without its classifier."""

import keras
from keras import layers

# Expansion, channels, number of blocks, stride of the first of them.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
BLOCKS = sum(count for _, _, count, _ in STAGES)


def net(size, width=1.0, blocks=BLOCKS, head=True):
    """MobileNetV2, up to its last convolution.

    Batch normalisation is part of the convolutions' kernels and biases, as in the
    published quantised files; see `tasks.pictures.convert`. A region is 32 pixels wide
    and high, of 16 in the first 13 blocks.

    Args:
        size: Height and width of pictures, in pixels.
        width: Factor of all numbers of channels.
        blocks: How many blocks, from the first, of 17; fewer make smaller regions.
        head: Whether a last convolution to 1280 channels follows.

    Returns:
        A `keras.Model` from `(batch, size, size, 3)`, 0 to 255, to `(batch, rows,
        columns, channels)`.

    Raises:
        ValueError: If an option is out of range.

    Reference:
        - Sandler et al., [MobileNetV2: inverted residuals and linear bottlenecks](
          https://arxiv.org/abs/1801.04381), 2018
    """
    if not 1 <= blocks <= BLOCKS or width <= 0:
        raise ValueError(
            f"`blocks` must be from 1 to {BLOCKS}, and `width` positive. Received: "
            f"{blocks!r} and {width!r}"
        )
    inputs = keras.Input((size, size, 3), name="pictures")
    x = layers.Rescaling(1 / 128, offset=-1.0, name="to_unit")(inputs)
    x = _convolved(x, _channels(32, width), 3, "stem", strides=2)
    plan = [
        (expansion, _channels(channels, width), stride if first else 1)
        for expansion, channels, count, stride in STAGES
        for first in [True] + [False] * (count - 1)
    ]
    for number, block in enumerate(plan[:blocks], 1):
        x = _block(x, *block, f"block_{number}")
    if head:
        x = _convolved(x, max(1280, _channels(1280, width)), 1, "head")
    return keras.Model(inputs, x, name="mobilenet_v2")


def _channels(count, width):
    """Numbers of channels are multiples of 8, and never lose a tenth by that."""
    scaled = count * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _block(inputs, expansion, channels, stride, name):
    """An inverted residual block: wider, depthwise, narrow again."""
    x, before = inputs, inputs.shape[-1]
    if expansion > 1:
        x = _convolved(x, before * expansion, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", activation="relu6", name=f"{name}_depthwise"
    )(x)
    x = layers.Conv2D(channels, 1, name=f"{name}_project")(x)
    if stride == 1 and before == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _convolved(x, channels, kernel, name, strides=1):
    return layers.Conv2D(
        channels, kernel, strides, padding="same", activation="relu6", name=name
    )(x)
