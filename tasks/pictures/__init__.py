"""Nets that turn pictures into regions: one file per architecture.

`picture_net` makes one by name. Every net is a frozen `keras.Model` from `(batch, size,
size, 3)`, the bytes 0 to 255 of red, green and blue, to `(batch, rows, columns,
channels)`.
"""

import importlib

NETS = {"mobilenet_v2": "tasks.pictures.mobilenet_v2"}
APPLICATIONS = "keras.applications."


def picture_net(name, size, options=None, weights=None):
    """Makes a net by its name, without published weights unless asked for.

    Args:
        name: One of `NETS`, or `"keras.applications.X"` for a model of Keras.
        size: Height and width of pictures, in pixels.
        options: Dict of further options of the architecture.
        weights: `"imagenet"` to download Keras' weights of its own models, `None` for
            none.

    Returns:
        A `keras.Model` that is not trainable.

    Raises:
        ValueError: If there is no such net, or `size` is too small for it.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"`picture_size` must be a positive integer. Got: {size!r}")
    if name.startswith(APPLICATIONS):
        from tasks.pictures.applications import application

        net = application(name.removeprefix(APPLICATIONS), size, options, weights)
    elif name in NETS:
        net = importlib.import_module(NETS[name]).net(size, **(options or {}))
    else:
        raise ValueError(
            f"There is no net {name!r} for pictures. Nets: {', '.join(NETS)}, or "
            f'"{APPLICATIONS}" and the name of a model there.'
        )
    net.trainable = False
    return net
