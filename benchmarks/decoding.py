"""Speed of attention decoders: training, greedy and beam search, beside joeynmt.

A translator of one size, ours and joeynmt's: a bidirectional GRU reads, a GRU with
Bahdanau's attention writes, the softmax is tied to the target's embedding, float32,
Adam with clipped gradients. Sentences are drawn by chance and all of one length, and a
search may not end one before, so both do the same number of steps; weights are not
trained. Each token counts as a word.

Two more races are with ourselves: training against a decoder as a naive Keras user
writes it (`keras.layers.RNN` over a cell that projects the memory and applies the
softmax at each step), and a beam search for one sentence against loops in Python over
one step of it, compiled or not.

joeynmt lives in a Python of its own; `decoding_joeynmt.py` tells how to make that:

    python benchmarks/decoding.py --peer-python PEER/bin/python

Without it, our own races are run alone.
"""

import argparse
import json
import os
import statistics
import subprocess
from functools import partial
from pathlib import Path
from typing import NamedTuple

from guests import Guest
from harness import load, race, ratio, write

# How much faster than joeynmt ours are meant to be, and how much of the time of others
# in Keras they are meant to take.
GOALS = {
    "training": 1.5,
    "greedy": 2.0,
    "beam 5": 3.0,
    "training, scan to cell loop": 0.40,
    "beam 5 of one sentence, loop in graph to loop in Python": 0.25,
}


class Size(NamedTuple):
    """Sizes that all contestants share."""

    vocabulary: int = 8000
    embedding: int = 512
    units: int = 512
    rows: int = 64
    source: int = 16
    target: int = 16
    steps: int = 2
    dropout: float = 0.2


SEARCHES = {
    "greedy": (None, 1),
    "beam 5": (None, 5),
    "greedy of one sentence": (1, 1),
    "beam 5 of one sentence": (1, 5),
}


def parts_of(size):
    """The layers of a translator."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from tasks.translation import SIZES
    from tasks.translator import TranslatorParts

    options = {
        **SIZES,
        "encoder_layer": "gru",
        "decoder_layer": "gru",
        "units": size.units,
        "embedding_dim": size.embedding,
        "dropout": size.dropout,
    }
    return TranslatorParts(size.vocabulary, options)


def batch_of(size, rows):
    """Sentences by chance, as the training model takes them."""
    import numpy as np

    random = np.random.default_rng(0)

    def ids(length):
        return random.integers(2, size.vocabulary, (rows, length)).astype("int32")

    return {
        "source_ids": ids(size.source),
        "source_mask": np.ones((rows, size.source), bool),
        "target_ids": ids(size.target),
        "target_mask": np.ones((rows, size.target), bool),
        "targets": ids(size.target),
    }


def training_steps(model, size, by_xla=None):
    """A function that trains for `size.steps` steps; by default Keras chooses XLA."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tasks.data.pipeline import untuned

    model.compile(
        keras.optimizers.Adam(1e-3, global_clipnorm=1.0),
        lambda _, loss: loss,
        jit_compile="auto" if by_xla is None else by_xla,
    )
    batch = batch_of(size, size.rows), np.zeros(size.rows, "float32")
    dataset = tf.data.Dataset.from_tensors(batch).repeat(size.steps)
    dataset = dataset.with_options(untuned())  # as `fit` has it
    return lambda: model.fit(dataset, shuffle=False, verbose=0)


def zoo_training(size, by_xla=None):
    return training_steps(parts_of(size).training_model, size, by_xla)


def naive_training(size):
    """The same with all of the decoder inside of a loop over its cell."""
    parts = parts_of(size)
    import keras
    from keras_attention import CellLoopDecoder

    from tasks.writer import training_model_of

    inputs = {k: v for k, v in parts.training_model.input.items() if k != "targets"}
    memory, summary = parts.encode(inputs["source_ids"], inputs["source_mask"])
    decoder = CellLoopDecoder(size.vocabulary, size.embedding, size.units, size.dropout)
    logits = decoder(inputs["target_ids"], memory, summary)
    options = {"label_smoothing": 0.0, "attention": None}
    model = training_model_of(
        inputs,
        {"logits": logits, "attention": None},
        options,
        coverage=0.0,
        name="naive",
    )
    assert isinstance(model, keras.Model)
    return training_steps(model, size)


def search_of(parts):
    """A search that never ends early: the token that would end it may not come."""
    from tasks.decoding.attention_search import AttentionSearch

    return AttentionSearch(
        lambda ids, mask: (*parts.encode(ids, mask), mask),
        parts.decoder,
        parts.model.variables,
        end=1,
        forbidden=2,
    )


def zoo_search(size, rows, width):
    """From arrays of ids to lists of ids."""
    parts = parts_of(size)
    from tasks.decoding.beam import BeamSearch

    run, how = search_of(parts), BeamSearch(width, size.target)
    batch = batch_of(size, rows)

    def decode():
        found = run(how, batch["source_ids"], batch["source_mask"])
        answers = [found.ranked(row, end=1)[0].ids for row in range(rows)]
        assert all(len(ids) == size.target for ids in answers)
        return answers

    return decode


def python_search(size, width, compile_step):
    """A beam search for one sentence, a loop in Python over one step of the decoder."""
    parts = parts_of(size)
    import numpy as np
    from keras import ops

    from tasks.decoding.compiled import compiled

    def begin(ids, mask):
        prepared, state = parts.decoder.begin(*parts.encode(ids, mask), mask)
        prepared = [x if x is None else ops.repeat(x, width, 0) for x in prepared]
        return prepared, [ops.repeat(x, width, 0) for x in state]

    def step(ids, state, prepared, order):
        state = [ops.take(x, order, 0) for x in state]
        logits, state, _ = parts.decoder.step(ids, state, kind(*prepared))
        return ops.log_softmax(logits), state

    batch = batch_of(size, 1)
    memory = parts.encode(batch["source_ids"], batch["source_mask"])
    kind = type(parts.decoder.begin(*memory, batch["source_mask"])[0])
    if compile_step:
        begin, step = (compiled(f, parts.model.variables) for f in (begin, step))

    def decode():
        prepared, state = begin(
            *(ops.convert_to_tensor(batch[k]) for k in ("source_ids", "source_mask"))
        )
        total = np.where(np.arange(width), -1e9, 0.0)
        ids, order = np.zeros(width, "int32"), np.arange(width, dtype="int32")
        found = np.zeros((width, 0), int)
        for _ in range(size.target):
            chances, state = step(
                ops.convert_to_tensor(ids),
                state,
                prepared,
                ops.convert_to_tensor(order),
            )
            scores = (total[:, None] + ops.convert_to_numpy(chances))[:, 2:].ravel()
            best = np.argpartition(-scores, width)[:width]
            best = best[np.argsort(-scores[best])]
            order, ids = (
                x.astype("int32") for x in np.divmod(best, size.vocabulary - 2)
            )
            ids, total = ids + 2, scores[best]
            found = np.concatenate([found[order], ids[:, None]], 1)
        return found[0].tolist()

    return decode


def beside_peer(size, rounds, python):
    """Tokens a second of ours and of joeynmt, and how much faster ours are."""

    def peer(*what):
        return partial(Guest, python, "decoding_joeynmt.py", *what)

    sizes = size._asdict()
    races = {
        "training": (
            {
                "zoo": (zoo_training, size),
                # As `fit(jit_compile=True)` does; each length is compiled once.
                "zoo, XLA": (zoo_training, size, True),
                "joeynmt": peer("training", sizes),
            },
            size.rows * size.target * size.steps,
        )
    }
    for name, (rows, width) in SEARCHES.items():
        rows = rows or size.rows
        contestants = {
            "zoo": (zoo_search, size, rows, width),
            "joeynmt": peer("search", sizes, rows, width),
        }
        races[name] = contestants, rows * size.target
    found = {}
    for name, (contestants, tokens) in races.items():
        results = race(contestants, rounds, seconds=0.5)
        for result in results.values():
            result["rate"] = tokens / statistics.median(result["times"])
        faster = {k: ratio(results, "joeynmt", k) for k in results if k != "joeynmt"}
        found[name] = {"results": results, "faster": faster, **load()}
        told = ", ".join(f"{k} {r['median']:.2f}" for k, r in faster.items())
        report(name, results, f"{told} times as fast", "median")
    return found


def beside_keras(size, rounds):
    """What part of the time of other ways in Keras ours take."""
    trained = size.rows * size.target * size.steps
    names = list(GOALS)[-2:]
    scan = race(
        {"scan": (zoo_training, size), "cell loop": (naive_training, size)}, rounds, 0.5
    )
    beam = race(
        {
            "loop in graph": (zoo_search, size, 1, 5),
            "loop over a compiled step": (python_search, size, 5, True),
            "loop over layers": (python_search, size, 5, False),
        },
        rounds,
        0.5,
    )
    found = {}
    for name, results, tokens in zip(
        names, (scan, beam), (trained, size.target), strict=True
    ):
        ours, *others = results
        for result in results.values():
            result["rate"] = tokens / statistics.median(result["times"])
        parts = {other: ratio(results, ours, other) for other in others}
        found[name] = {"results": results, "part": parts, **load()}
        told = ", ".join(f"{r['median']:.2f} of the {k}" for k, r in parts.items())
        report(name, results, told, "of its time, median")
    return found


def report(name, results, told, what):
    for contestant, result in results.items():
        print(
            f"{name:24} {contestant:26} {result['rate']:8.0f} tokens/s, peak "
            f"{result['memory']:5.0f} MB, first call {result['first_call']:.1f} s"
        )
    goal = f"; goal {GOALS[name]}" if name in GOALS else ""
    print(f"{name}: {told} ({what}{goal})", flush=True)


def about(size, python):
    """Number of parameters of both, and versions of joeynmt and of its torch."""
    script = Path(__file__).with_name("decoding_joeynmt.py")
    command = [python, script, "--about", json.dumps(size._asdict())]
    told = subprocess.check_output(command, text=True).splitlines()[-1]
    return {"zoo": parts_of(size).model.count_params(), "joeynmt": json.loads(told)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer-python", help="Python that has joeynmt")
    parser.add_argument("--rounds", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--quick", action="store_true", help="one turn, tiny sizes")
    parser.add_argument("--name", default="decoding", help="of the file in results/")
    args = parser.parse_args()
    size, rounds = Size(), args.rounds
    if args.quick:
        size, rounds = Size(100, 16, 16, 4, 6, 6, 1), 1
    content = {"size": size._asdict(), "goals": GOALS, "rounds": rounds}
    if args.peer_python is not None:
        content["parameters"] = about(size, args.peer_python)
        content["beside joeynmt"] = beside_peer(size, rounds, args.peer_python)
    content["beside Keras"] = beside_keras(size, rounds)
    print("written:", write(args.name, content))


if __name__ == "__main__":
    main()
