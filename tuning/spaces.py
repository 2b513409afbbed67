"""What is worth searching for each task, as plain data.

A task's class may say so itself: a class attribute `tunable`, a dict like those below,
wins over the one here, and `objectives` over `tuning.objectives.OBJECTIVES`.
"""

import inspect

from tuning.errors import SearchError

_DROPOUT = {"low": 0.0, "high": 0.6, "step": 0.1}
_ZONEOUT = {"low": 0.0, "high": 0.3, "step": 0.05}
_LEARNING_RATE = {"low": 2e-4, "high": 1e-2, "scale": "log"}
_CLIPNORM = {"choices": [0.25, 1.0, 5.0]}
_SCHEDULE = {"choices": ["cosine", "constant"]}
_CELLS = ["zoneout_lstm", "gru", "qrnn", "ind_rnn"]


def _of_cells(parent="layer", options="layer_options"):
    """Options that some kinds of cells have, and others have not."""
    return {
        f"{options}.zoneout_h": {**_ZONEOUT, "when": {parent: ["zoneout_lstm"]}},
        f"{options}.zoneout_c": {**_ZONEOUT, "when": {parent: ["zoneout_lstm"]}},
        f"{options}.window": {"choices": [1, 2], "when": {parent: ["qrnn"]}},
        f"{options}.zoneout": {**_ZONEOUT, "when": {parent: ["qrnn"]}},
    }


_TRAINING = {
    "learning_rate": _LEARNING_RATE,
    "schedule": _SCHEDULE,
    "clipnorm": _CLIPNORM,
}

# The order is that of tables. Entries that a class knows nothing of are left out.
SPACES = {
    "ner": {
        "layer": {"choices": _CELLS},
        "units": {"choices": [64, 128, 192, 256]},
        "num_layers": {"choices": [1, 2]},
        "embedding_dim": {"choices": [50, 100, 150]},
        "char_encoder": {"choices": ["cnn", "lstm"]},
        "char_units": {
            "choices": [32, 64, 128],
            "when": {"char_encoder": ["cnn", "lstm"]},
        },
        "dropout": _DROPOUT,
        "recurrent_dropout": {
            "low": 0.0,
            "high": 0.4,
            "step": 0.1,
            "when": {"layer": ["zoneout_lstm", "gru"]},
        },
        "zoneout_h": {**_ZONEOUT, "when": {"layer": ["zoneout_lstm", "gru"]}},
        "zoneout_c": {**_ZONEOUT, "when": {"layer": ["zoneout_lstm"]}},
        "layer_options.window": {"choices": [1, 2], "when": {"layer": ["qrnn"]}},
        "layer_options.zoneout": {**_ZONEOUT, "when": {"layer": ["qrnn"]}},
        "word_dropout": {"low": 0.0, "high": 0.2, "step": 0.05},
        **_TRAINING,
        "batch_size": {"choices": [8, 16, 32, 64]},
    },
    "text_classification": {
        "layer": {"choices": _CELLS},
        "units": {"choices": [64, 128, 256]},
        "num_layers": {"choices": [1, 2]},
        **_of_cells(),
        "connection": {
            "choices": [None, "residual", "dense"],
            "when": {"num_layers": [2]},
        },
        "pooling": {"choices": ["attention", "mean", "max", "last"]},
        "embedding_dim": {"choices": [50, 100, 200]},
        "dropout": _DROPOUT,
        "hidden_dropout": _DROPOUT,
        "label_smoothing": {"choices": [0.0, 0.1]},
        "word_dropout": {"low": 0.0, "high": 0.2, "step": 0.05},
        "max_tokens": {"choices": [100, 200, 400]},
        **_TRAINING,
        "batch_size": {"choices": [16, 32, 64]},
    },
    "language_modeling": {
        "layer": {"choices": _CELLS},
        "units": {"choices": [128, 256, 512]},
        "num_layers": {"choices": [1, 2, 3]},
        **_of_cells(),
        "connection": {
            "choices": [None, "residual", "highway"],
            "when": {"num_layers": [2, 3]},
        },
        "embedding_dim": {"choices": [32, 64, 128]},
        "input_dropout": {"low": 0.0, "high": 0.4, "step": 0.1},
        "hidden_dropout": {
            "low": 0.0,
            "high": 0.4,
            "step": 0.1,
            "when": {"num_layers": [2, 3]},
        },
        "output_dropout": _DROPOUT,
        "chunk": {"choices": [50, 100, 200]},
        **_TRAINING,
        "batch_size": {"choices": [16, 32, 64]},
    },
    "translation": {
        "encoder_layer": {"choices": _CELLS},
        **_of_cells("encoder_layer", "encoder_options"),
        "decoder_layer": {"choices": ["zoneout_lstm", "gru"]},
        "units": {"choices": [128, 256, 384]},
        "num_layers": {"choices": [1, 2]},
        "embedding_dim": {"choices": [64, 128, 256]},
        "attention": {"choices": ["bahdanau", "luong"]},
        "dropout": _DROPOUT,
        "label_smoothing": {"choices": [0.0, 0.1]},
        "scheduled_sampling": {"choices": [None, "linear", "inverse_sigmoid"]},
        "max_tokens": {"choices": [50, 100]},
        **_TRAINING,
        "batch_size": {"choices": [32, 64, 128]},
    },
    "captioning": {
        "layer": {"choices": ["zoneout_lstm", "gru"]},
        "units": {"choices": [256, 384, 512]},
        **_of_cells(),
        "embedding_dim": {"choices": [128, 256]},
        "region_dim": {"choices": [128, 256]},
        "attention": {"choices": ["bahdanau", "luong"]},
        "attention_units": {
            "choices": [128, 256],
            "when": {"attention": ["bahdanau"]},
        },
        "dropout": _DROPOUT,
        "label_smoothing": {"choices": [0.0, 0.1]},
        "coverage_loss": {"choices": [0.0, 0.5, 1.0]},
        **_TRAINING,
        "batch_size": {"choices": [32, 64, 128]},
    },
    "speech_recognition": {
        "layer": {"choices": _CELLS},
        "units": {"choices": [64, 128, 256]},
        "num_layers": {"choices": [1, 2, 3]},
        **_of_cells(),
        "connection": {
            "choices": [None, "residual"],
            "when": {"num_layers": [2, 3]},
        },
        "num_mels": {"choices": [26, 40, 80]},
        "normalization": {"choices": ["utterance", "corpus"]},
        "reduction": {"choices": ["stack", "convolution"]},
        "filters": {"choices": [4, 8, 16], "when": {"reduction": ["convolution"]}},
        "time_reduction": {"choices": [2, 3]},
        "dropout": _DROPOUT,
        "hidden_dropout": {
            "low": 0.0,
            "high": 0.4,
            "step": 0.1,
            "when": {"num_layers": [2, 3]},
        },
        "mel_mask": {"low": 0.0, "high": 0.3, "step": 0.05},
        "stretch": {"low": 0.0, "high": 0.3, "step": 0.1},
        "warp": {"low": 0.0, "high": 3.0, "step": 0.5},
        **_TRAINING,
        "batch_size": {"choices": [16, 32, 64]},
    },
    "forecasting": {
        "architecture": {"choices": ["segment", "direct"]},
        "layer": {"choices": ["gru", "zoneout_lstm", "ind_rnn", "qrnn"]},
        "units": {"choices": [32, 64, 128, 256]},
        "num_layers": {"choices": [1, 2]},
        **_of_cells(),
        "segment_length": {
            "choices": [6, 12, 24],
            "when": {"architecture": ["segment"]},
        },
        "normalization": {"choices": ["instance", "last"]},
        "dropout": _DROPOUT,
        **_TRAINING,
        "batch_size": {"choices": [128, 256, 512]},
    },
}

# Fine-tuning keeps the weights, so nothing that gives them another shape.
_SAME_WEIGHTS = (
    "dropout",
    "zoneout",
    "recurrent_dropout",
    "zoneout_h",
    "zoneout_c",
    "hidden_dropout",
    "input_dropout",
    "output_dropout",
    "embedding_dropout",
    "label_smoothing",
    "scheduled_sampling",
)
_FINE_TUNING = {"learning_rate": {"low": 2e-5, "high": 3e-3, "scale": "log"}}


def known_names(cls):
    """Everything that can be set in a trial, with its default.

    Args:
        cls: A task's class.

    Returns:
        Two dicts from name to default: options of the class, arguments of its `fit`.
    """
    fit, open_ended = _arguments(cls.fit, ("data", "validation_data"))
    if open_ended:
        more, _ = _arguments(cls._fit, ("batches", "dataset", "data", "best"))
        fit = {**more, **fit}
    options = dict(getattr(cls, "defaults", {}))
    for maker in ("for_data", "for_text"):
        if hasattr(cls, maker):
            found, _ = _arguments(getattr(cls, maker), ("data", "text", "self"))
            options = {**found, **options}
            break
    # The search has these in its own hands.
    for name in ("seed", "verbose", "resume_dir", "callbacks", "optimizer", "profile"):
        fit.pop(name, None)
    return options, fit


def _arguments(function, without):
    parameters = inspect.signature(function).parameters.values()
    found = {
        p.name: None if p.default is p.empty else p.default
        for p in parameters
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and p.name not in ("self", "cls", *without)
    }
    return found, any(p.kind == p.VAR_KEYWORD for p in parameters)


def space_of(cls, fine_tuning=False):
    """The search space of a task, as plain data that may be changed at will.

    Args:
        cls: A task's class, or the name of a task such as `"ner"`.
        fine_tuning: Whether trials go on from trained weights; then nothing is
            searched that would change their shapes.

    Returns:
        Dict from name to `{"choices": [...]}` or `{"low": ..., "high": ...}`.

    Raises:
        SearchError: If there is no such task, or no space for it.

    Example:

    >>> import tuning
    >>> tuning.space_of("forecasting")["num_layers"]
    {'choices': [1, 2]}
    """
    if isinstance(cls, str):
        from tuning.sources import class_named

        cls = class_named(cls)
    own = getattr(cls, "tunable", None)
    options, fit = known_names(cls)
    if own is None:
        names = {*options, *fit}
        own = {
            name: entry
            for name, entry in SPACES.get(cls.task, {}).items()
            if name.partition(".")[0] in names
        }
    if not own:
        raise SearchError(
            f"There is no search space for {cls.__name__}: give the class an attribute "
            "`tunable`, a dict such as {'units': {'choices': [64, 128]}}."
        )
    if fine_tuning:
        own = {
            name: entry
            for name, entry in {**own, **_FINE_TUNING}.items()
            if name in fit or name.rpartition(".")[2] in _SAME_WEIGHTS
        }
    return {name: dict(entry) for name, entry in own.items()}
