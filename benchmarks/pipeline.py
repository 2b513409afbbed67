"""Whether the data come fast enough: examples a second, of the pipeline and the model.

Each task is given made-up data in the form in which people have them, and called as
people call it: `fit`. Where training would begin, the batches are read once more and
thrown away, which is the pipeline alone; then the model trains on batches that are in
memory already, which is what it consumes. The goal is that the pipeline gives at least
three times as much as the model takes.

    python benchmarks/pipeline.py            # written to results/pipeline.json
"""

import argparse
import json
import os
import random
import time

GOAL = 3
ROWS = 64


def words_of(task):
    """Words that a task knows; one that is not trained knows too few."""
    known = ()
    if hasattr(task, "features"):
        known = task.features.words.items
    elif hasattr(task, "coder"):
        known = task.coder.vocabulary.items
    words = [word for word in known if word.isalpha()][:3000]
    return (
        words
        or "a the old new man woman dog sits runs on in with red two blue hat".split()
    )


def sentences(task, count, mean=14):
    """Sentences of all lengths, some 14 words on average."""
    choose, known = random.Random(0), words_of(task)
    lengths = [max(1, round(choose.gammavariate(4, mean / 4))) for _ in range(count)]
    return [choose.choices(known, k=length) for length in lengths]


def tagged(task):
    """Sentences with tags."""
    label = f"B-{task.labels[0]}"
    return [
        (words, [label if n % 9 == 3 else "O" for n in range(len(words))])
        for words in sentences(task, 3000)
    ]


def labelled(task):
    """Texts with labels."""
    texts = [" ".join(words) for words in sentences(task, 3000, mean=20)]
    return [(text, task.labels[n % 2]) for n, text in enumerate(texts)]


def pairs(task):
    """Sentences in two languages."""
    texts = [" ".join(words) for words in sentences(task, 3000)]
    return list(zip(texts, reversed(texts), strict=True))


def prose(task):
    """A text."""
    return " ".join(" ".join(words) for words in sentences(task, 40000))


def waves(task):
    """Series with a day in them."""
    import numpy as np

    noise = np.random.default_rng(0)
    hours = np.arange(900)
    day = np.sin(2 * np.pi * hours / 24)
    return [day + noise.normal(size=900) / 4 for _ in range(20)]


def captioned(task):
    """Pictures with five captions each."""
    import numpy as np

    noise = np.random.default_rng(0)
    size = task.options["picture_size"]
    said = [" ".join(words) for words in sentences(task, 640, mean=11)]
    return [
        (
            noise.integers(0, 255, (size, size, 3)).astype("uint8"),
            said[5 * n : 5 * n + 5],
        )
        for n in range(128)
    ]


def spoken(task):
    """Recordings of a few seconds of noise, with what is said in them."""
    import numpy as np

    noise = np.random.default_rng(0)
    rate = task.options["sample_rate"]
    return [
        ((noise.normal(size=rate * (1 + n % 3)).astype("float32") / 9, rate), "one two")
        for n in range(192)
    ]


# Trained models, and one that is not: what is read of data, and options of `fit`.
TASKS = {
    "ner_lstm_crf.wnut17_en": (tagged, {}),
    "text_classification_lstm.sst2_en": (labelled, {}),
    "translation_lstm_attention.multi30k_en_de": (pairs, {}),
    "language_model_lstm.tiny_shakespeare_chars": (prose, {}),
    "forecasting_lstm.m4_hourly": (waves, {}),
    "captioning": (captioned, {"mirror": False}),
    "speech_recognition_lstm_ctc.fsdd_en": (spoken, {}),
}


def measure(name, seconds):
    """Dict of examples a second of one task; see the module."""
    import tasks.task
    from tasks.fitting import Fitting
    from tasks.tpu.worker import made

    found, task = {}, made(name, {})
    data, options = TASKS[name]
    given = data(task)

    class Measured(Fitting):
        """Measures where it should train."""

        def run(self, callbacks, resume, verbose):
            found["prepared_in"] = time.perf_counter() - start
            found["examples"] = examples_of(self.batches)
            found["batches"] = len(self.batches)
            found["pipeline"] = alone(self.dataset, found["examples"], seconds)
            found["model"] = consumed(self, seconds)

    before, tasks.task.Fitting = tasks.task.Fitting, Measured
    try:
        start = time.perf_counter()
        task.fit(given, batch_size=ROWS, epochs=1, verbose=0, **options)
    finally:
        tasks.task.Fitting = before
    return {**found, "times": found["pipeline"] / found["model"], "goal": GOAL}


def examples_of(batches):
    """How many rows of an epoch hold something."""
    if hasattr(batches, "order"):
        return sum(map(len, batches.order()))
    return len(batches) * len(batches[0][1])


def alone(dataset, examples, seconds):
    """Examples a second of the pipeline; its best pass over all of them."""
    best, start = 0.0, time.perf_counter()
    while not best or time.perf_counter() - start < seconds:
        began = time.perf_counter()
        count = sum(1 for _ in dataset)
        assert count, "an empty pipeline is fast"
        best = max(best, examples / (time.perf_counter() - began))
    return best


def consumed(fitting, seconds, most=40):
    """Examples a second that the model trains on, from memory; its best pass."""
    batches = fitting.batches
    numbers = range(0, len(batches), max(1, len(batches) // most))
    held = [batches[n] for n in numbers]
    order = batches.order() if hasattr(batches, "order") else None
    rows = [len(held[0][1]) if order is None else len(order[n]) for n in numbers]
    best, start = 0.0, time.perf_counter()
    for batch in held:  # each shape is compiled once
        fitting.model.train_on_batch(*batch)
    while not best or time.perf_counter() - start < seconds:
        began = time.perf_counter()
        for batch in held:
            loss = fitting.model.train_on_batch(*batch)
        float(loss if not isinstance(loss, (list, tuple)) else loss[0])
        best = max(best, sum(rows) / (time.perf_counter() - began))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each number")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--name", default="pipeline", help="of the file of results")
    args = parser.parse_args()
    os.environ["KERAS_BACKEND"] = args.backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from harness import RESULTS, load, write

    path = RESULTS / f"{args.name}.json"
    found = json.loads(path.read_text())["tasks"] if path.is_file() else {}
    for name in args.tasks:
        begun = load()
        found[name] = {**measure(name, args.seconds), "load_at_begin": begun}
        print(
            f"{name:45} {found[name]['pipeline']:9.0f} /s, the model takes "
            f"{found[name]['model']:7.0f} /s: {found[name]['times']:.1f} times",
            flush=True,
        )
        # What other runs have measured stays.
        content = {"backend": args.backend, "rows": ROWS, "tasks": found}
        path = write(args.name, content, ("tensorflow", "keras"))
    print("written:", path)


if __name__ == "__main__":
    main()
