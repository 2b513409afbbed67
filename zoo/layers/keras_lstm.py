"""`keras.layers.LSTM` and `ZoneoutLSTM`: weights and options of one in the other."""

import keras
from keras import initializers, regularizers

SHARED = ("use_bias", "unit_forget_bias", "dropout", "recurrent_dropout", "seed")
PARTS = ("kernel", "recurrent", "bias")
# What Keras' layer has not, with the value that is as good as not having it.
OURS_ALONE = {
    "zoneout_h": 0.0,
    "zoneout_c": 0.0,
    "recurrent_dropconnect": 0.0,
    "layer_norm": False,
    "peepholes": False,
    "projection": None,
}
# What Keras' layer has and ours has not.
THEIRS_ALONE = {
    "activation": keras.activations.tanh,
    "recurrent_activation": keras.activations.sigmoid,
    "stateful": False,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "activity_regularizer": None,
}


def from_keras(layer_class, layer, **options):
    """Makes a layer of ours that computes what Keras' LSTM does; see `ZoneoutLSTM`."""
    if not isinstance(layer, keras.layers.LSTM):
        raise ValueError(
            f"`layer` must be a keras.layers.LSTM. Received: {type(layer).__name__}"
        )
    for name, value in THEIRS_ALONE.items():
        if getattr(layer, name) != value:
            raise ValueError(
                f"{layer_class.__name__} has no other `{name}` than {_plain(value)}. "
                f"Layer '{layer.name}' has {_plain(getattr(layer, name))}"
            )
    if layer.go_backwards and layer.return_sequences:
        raise ValueError(
            f"Layer '{layer.name}' runs backwards and returns its last step first; "
            f"{layer_class.__name__} keeps the order of the inputs. Make the layer "
            "with go_backwards=False and return_sequences=True, and set `reverse`."
        )
    config = layer.get_config()
    made = layer_class(
        **{
            "units": layer.units,
            **{name: config[name] for name in SHARED},
            **_of_parts(layer),
            "return_sequences": layer.return_sequences,
            "return_state": layer.return_state,
            "reverse": layer.go_backwards,
            "name": layer.name,
            "dtype": layer.dtype_policy,
            "trainable": layer.trainable,
            **options,
        }
    )
    if layer.built:
        made.build((None, None, layer.cell.kernel.shape[0]))
        fresh = made.get_weights()
        given = layer.get_weights()
        made.set_weights(given + fresh[len(given) :])
    return made


def to_keras(layer):
    """Makes a `keras.layers.LSTM` that computes what a layer does; see there."""
    for name, value in OURS_ALONE.items():
        if getattr(layer, name) != value:
            raise ValueError(
                f"keras.layers.LSTM has no `{name}`. Layer '{layer.name}' has "
                f"{name}={getattr(layer, name)!r}"
            )
    if layer.reverse and layer.return_sequences:
        raise ValueError(
            f"Layer '{layer.name}' runs backwards and returns sequences, in the order "
            "of the inputs; keras.layers.LSTM would return its last step first."
        )
    made = keras.layers.LSTM(
        layer.units,
        **{name: getattr(layer, name) for name in SHARED},
        **_of_parts(layer),
        return_sequences=layer.return_sequences,
        return_state=layer.return_state,
        go_backwards=layer.reverse,
        name=layer.name,
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
    )
    if layer.built:
        made.build((None, None, layer.input_features))
        made.set_weights(layer.get_weights())
    return made


def sharing(layer):
    """A `keras.layers.LSTM` on a layer's own variables, which runs time first to last.

    It returns sequences and states, and must not become an attribute of the layer,
    which would then list its weights twice.
    """
    made = keras.layers.LSTM(
        layer.units,
        use_bias=layer.use_bias,
        return_sequences=True,
        return_state=True,
        dtype=layer.dtype_policy,
    )
    made.cell.kernel = layer.kernel
    made.cell.recurrent_kernel = layer.recurrent_kernel
    made.cell.bias = layer.bias
    made.cell.built = made.built = True
    return made


def _of_parts(layer):
    """Initialisers and regularisers of kernels and biases, copies of a layer's own."""
    options = {}
    for kind, module in (("initializer", initializers), ("regularizer", regularizers)):
        for part in PARTS:
            name = f"{part}_{kind}"
            options[name] = module.get(module.serialize(getattr(layer, name)))
    return options


def _plain(value):
    return getattr(value, "__name__", repr(value))
