"""The nets of `keras.applications`, with their own ways of reading pictures."""

import importlib
import inspect

import keras
from keras import layers


def application(name, size, options=None, weights=None):
    """A model of `keras.applications` without its classifier.

    Args:
        name: Its name there, such as `"MobileNetV2"` or `"EfficientNetB0"`.
        size: Height and width of pictures, in pixels.
        options: Dict of further options of its function, such as `alpha`.
        weights: `"imagenet"` to download what was trained there, or `None`.

    Returns:
        A `keras.Model` from `(batch, size, size, 3)`, 0 to 255, to `(batch, rows,
        columns, channels)`.

    Raises:
        ValueError: If there is no such model, or it does not take such pictures.
    """
    build = getattr(keras.applications, name, None)
    if not inspect.isfunction(build):
        known = [
            n for n, f in vars(keras.applications).items() if inspect.isfunction(f)
        ]
        raise ValueError(
            f"keras.applications has no {name!r}. It has: {', '.join(sorted(known))}"
        )
    module = importlib.import_module(build.__module__)
    inputs = keras.Input((size, size, 3), name="pictures")
    try:
        net = build(
            include_top=False,
            weights=weights,
            input_shape=(size, size, 3),
            **(options or {}),
        )
    except OSError as error:
        raise ValueError(
            f"The weights of {name} cannot be downloaded ({error}). Without a network, "
            'use features="mobilenet_v2".'
        ) from error
    prepared = Preprocessing(module.__name__, name="preprocessing")(inputs)
    return keras.Model(inputs, net(prepared, training=False), name=net.name)


@keras.saving.register_keras_serializable(package="tasks")
class Preprocessing(layers.Layer):
    """What a model of Keras asks to be done to its pictures.

    Args:
        module: Name of its module, which has the function `preprocess_input`.

    Call arguments:
        pictures: `(batch, height, width, 3)`, red, green and blue from 0 to 255.
    """

    def __init__(self, module, **kwargs):
        super().__init__(**kwargs)
        self.module = module

    def call(self, pictures):
        # A copy: some of these functions write into what they are given.
        return importlib.import_module(self.module).preprocess_input(pictures * 1.0)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "module": self.module}
