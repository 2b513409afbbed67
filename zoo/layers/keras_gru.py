"""`keras.layers.GRU` and `GRU`: weights and options of one in the other."""

import keras

# Options that both have, under the same names.
SHARED = (
    "units",
    "dropout",
    "recurrent_dropout",
    "reset_after",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "return_sequences",
    "return_state",
    "seed",
    "name",
    "dtype",
    "trainable",
)
# What Keras' layer has and ours has not, at the values that ours follows.
THEIRS_ALONE = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "stateful": False,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "activity_regularizer": None,
}


def from_keras(layer_class, layer, **options):
    """Makes a layer of ours that computes what Keras' GRU does; see `GRU`."""
    if not isinstance(layer, keras.layers.GRU):
        raise ValueError(
            f"`layer` must be a keras.layers.GRU. Received: {type(layer).__name__}"
        )
    config = layer.get_config()
    for name, value in THEIRS_ALONE.items():
        if config.get(name, value) != value:
            raise ValueError(
                f"{layer_class.__name__} has no other `{name}` than {value!r}. "
                f"Layer '{layer.name}' has {config[name]!r}"
            )
    if layer.go_backwards and layer.return_sequences:
        raise ValueError(
            f"Layer '{layer.name}' runs backwards and returns its last step first; "
            f"{layer_class.__name__} keeps the order of the inputs. Make the layer "
            "with go_backwards=False and return_sequences=True, and set `reverse`."
        )
    shared = {name: config[name] for name in SHARED}
    new = layer_class.from_config({**shared, "reverse": layer.go_backwards, **options})
    if layer.built:
        new.build((None, None, layer.cell.kernel.shape[0]))
        _copy(layer.cell, new)
    return new


def to_keras(layer):
    """Makes a `keras.layers.GRU` that computes what a layer does; see there."""
    if layer.zoneout_h:
        raise ValueError(
            f"keras.layers.GRU has no `zoneout_h`. Layer '{layer.name}' has "
            f"zoneout_h={layer.zoneout_h!r}"
        )
    if layer.reverse and layer.return_sequences:
        raise ValueError(
            f"Layer '{layer.name}' runs backwards and returns sequences, in the order "
            "of the inputs; keras.layers.GRU returns them last step first."
        )
    config = layer.get_config()
    shared = {name: config[name] for name in SHARED}
    theirs = keras.layers.GRU.from_config({**shared, "go_backwards": layer.reverse})
    if layer.built:
        theirs.build((None, None, layer.input_features))
        _copy(layer, theirs.cell)
    return theirs


def _copy(source, target):
    for name in ("kernel", "recurrent_kernel", "bias"):
        value = getattr(source, name)
        if value is not None:
            getattr(target, name).assign(value)
