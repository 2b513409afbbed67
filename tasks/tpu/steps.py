"""What a device does for a task, step by step: training, answers, searches."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras

from tasks.decoding.beam import BeamSearch
from tasks.decoding.generation import BLOCK
from tasks.decoding.sampling import Sampling
from tasks.fitting import Fitting


@dataclass(frozen=True)
class Input:
    """An array that a step takes besides weights.

    Attributes:
        shape, dtype: Its own.
        axis: Which axis counts the rows of a batch.
    """

    shape: tuple
    dtype: str
    axis: int = 0


class Step(NamedTuple):
    """One compiled call.

    Attributes:
        name: Such as `"train"`.
        inputs: Any structure of `Input`.
        function: From such a structure of tensors to tensors; `None` for training,
            where it is the model's own `train_step`.
        model: Keras model whose variables it reads; compiled, if it is to train.
    """

    name: str
    inputs: Any
    function: Any
    model: Any


def steps_of(task, batch, length):
    """All that a device does for a task.

    Args:
        task: `tasks.task.Task`.
        batch: Rows of a batch, those of all chips together.
        length: Steps of time, where the task's options leave them open.

    Returns:
        List of `Step`: first `"train"`, which is what `fit` runs for each batch, with
        clipping and Adam; then all that answers.
    """
    steps = [_training(task, batch, length)]
    if hasattr(task, "generator"):
        return [*steps, *_text(task, batch, length)]
    if hasattr(task, "search"):
        return [*steps, *_searches(task, batch, length)]
    return [*steps, _answer("predict", task.model, batch, length)]


def inputs_of(model, batch, length):
    """The `Input`s of a functional model, a dict like its own."""
    return {
        name: Input(
            (batch, *(length if n is None else n for n in x.shape[1:])),
            keras.backend.standardize_dtype(x.dtype),
        )
        for name, x in model.input.items()
    }


def _training(task, batch, length):
    model = task.training_model
    if model is None:  # A language model carries its states, for so many rows.
        model = task.parts.training_model(batch)
    given = inputs_of(model, batch, length), Input((batch,), "float32")
    fitting = Fitting(
        model, None, _NoData(), None, epochs=1, seed=0, accumulate=1, shard="data"
    )
    fitting.compile(
        None, "auto", 1, 1e-3, clipnorm=1.0, rate_decay=1.0, unfreeze_every=0
    )
    # Makes the optimizer's variables and those of metrics, as `fit` does at first.
    fitting.model._symbolic_build(
        data_batch=keras.tree.map_structure(
            lambda x: keras.KerasTensor(x.shape, x.dtype), given
        )
    )
    return Step("train", given, None, fitting.model)


class _NoData:
    """Stands for batches, of which only the number is asked."""

    epoch = 0

    def __len__(self):
        return 1000


def _answer(name, model, batch, length):
    inputs = inputs_of(model, batch, length)
    return Step(name, inputs, lambda given: model(given, training=False), model)


def _text(task, batch, length):
    """Scoring a text, reading a prompt, and going on with it."""
    generator, parts = task.generator, task.parts
    states = [Input((batch, n), "float32") for n in parts.stack.state_sizes]
    ids, mask = Input((batch, length), "int32"), Input((batch, length), "bool")
    drawn = Input((BLOCK, batch), "float32", axis=1)
    how = Sampling(temperature=0.8, top_p=0.9)
    return [
        _answer("score", parts.scoring_model, batch, length),
        Step(
            "read a prompt",
            (ids, mask, states),
            lambda given: generator.prompt_state(*given),
            parts.model,
        ),
        Step(
            "generate",
            (drawn, Input((batch,), "int32"), states),
            lambda given: generator.draw(how, *given, ()),
            parts.model,
        ),
    ]


def _searches(task, batch, length):
    """The beam search of a task that writes, and what comes before it."""
    net = getattr(task.parts, "net", None)
    if net is None:
        sources = Input((batch, length), "int32"), Input((batch, length), "bool")
        how = BeamSearch(max_length=length * 3 // 2 + 10)
        return [_search(task, sources, how)]
    # A captioner looks at pictures first, then searches over their regions.
    see = Step(
        "see",
        Input((batch, *net.input_shape[1:]), "float32"),
        lambda pictures: net(pictures, training=False),
        net,
    )
    rows, columns, channels = net.output_shape[1:]
    regions = Input((batch, rows * columns, channels), "float32")
    how = BeamSearch(max_length=task.options["max_words"] + 1, min_length=2)
    return [see, _search(task, (regions,), how)]


def _search(task, inputs, how):
    return Step(
        "beam search", inputs, lambda given: task.search(how, *given), task.model
    )
