"""Small tasks without chance in them, to be trained on one device and on several.

Run as a program, it trains what its arguments say, and writes the weights to a file: a
process can have two CPUs, or be one of several workers, only if it begins so.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).parent.parent
SIZES = {"embedding_dim": 6, "units": 6, "dropout": 0.0}
WORDS = "the cat sat on a mat and Ada saw it in London today".split()


def sentences(count, seed=0):
    """Sentences of 1 to 12 words."""
    random = np.random.default_rng(seed)
    return [
        " ".join(random.choice(WORDS, random.integers(1, 13))) for _ in range(count)
    ]


def tagged(count):
    """Sentences with tags, lists of pairs of lists."""
    tags = {"Ada": "B-person", "London": "B-place"}
    return [
        (text.split(), [tags.get(word, "O") for word in text.split()])
        for text in sentences(count)
    ]


def make_ner():
    from collections import Counter

    from tasks.data.vocabulary import Vocabulary
    from tasks.ner import NamedEntityTagger

    words = Vocabulary.build(Counter(word.lower() for word in WORDS))
    characters = Vocabulary.build(Counter("".join(WORDS)))
    sizes = {"char_embedding_dim": 4, "char_units": 4, "casing_dim": 2}
    return NamedEntityTagger(["person", "place"], words, characters, **sizes, **SIZES)


def make_text_classification():
    from tasks.text_classification import TextClassifier

    return TextClassifier.for_data(labelled(60), **SIZES)


def labelled(count):
    return [(text, ["no", "yes"]["cat" in text]) for text in sentences(count)]


def make_translation():
    from tasks.translation import Translator

    return Translator.for_data(pairs(60), vocabulary_size=40, **SIZES)


def pairs(count):
    return [(text, " ".join(text.split()[::-1])) for text in sentences(count)]


def make_language_modeling():
    from tasks.language_modeling import LanguageModel

    sizes = {"units": 6, "embedding_dim": 6}
    return LanguageModel.for_text(streams(), **sizes)


def streams():
    return [text * 4 for text in sentences(9)]


def make_forecasting():
    from tasks.forecasting import Forecaster

    return Forecaster(
        3, 8, units=6, dropout=0.0, segment_length=2, quantiles=[0.1, 0.5]
    )


def waves():
    random = np.random.default_rng(0)
    return [random.normal(size=20 + 7 * i).round(3).tolist() for i in range(3)]


def make_captioning():
    from tasks.captioning import Captioner

    sizes = {"picture_size": 32, "region_dim": 6, "attention_units": 4, "max_words": 6}
    options = {"feature_options": {"blocks": 2, "width": 0.5, "head": False}}
    return Captioner.for_data(
        captioned(), picture_weights="random", layer="gru", **sizes, **options, **SIZES
    )


def captioned():
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (24, 32, 32, 3)).astype("uint8")
    return list(zip(pictures, [[text] for text in sentences(24)], strict=True))


def make_speech_recognition():
    from tasks.speech_recognition import SpeechRecognizer

    sizes = {"sample_rate": 4000, "num_mels": 8, "filters": 2, "units": 6}
    return SpeechRecognizer.for_data(
        spoken(), num_layers=1, layer="gru", dropout=0.0, **sizes
    )


def spoken():
    """Noise of any length, with as many words as it can hold."""
    random, found = np.random.default_rng(0), []
    for text in sentences(24):
        samples = random.normal(size=400 * (1 + len(text))) * 0.1
        found.append(((samples.astype("float32"), 4000), text))
    return found


TASKS = {
    "ner": (make_ner, lambda: tagged(60), {}),
    "text_classification": (make_text_classification, lambda: labelled(60), {}),
    "translation": (make_translation, lambda: pairs(60), {}),
    "language_modeling": (make_language_modeling, streams, {"chunk": 10}),
    "forecasting": (make_forecasting, waves, {}),
    "captioning": (make_captioning, captioned, {"mirror": False}),
    "speech_recognition": (make_speech_recognition, spoken, {"masks": 0}),
}


def inputs(name):
    """What a task is asked after it was trained."""
    if name == "captioning":
        return [picture for picture, _ in captioned()[:3]]
    if name == "speech_recognition":
        return [recording for recording, _ in spoken()[:3]]
    return waves() if name == "forecasting" else sentences(3, seed=1)


def ask(task, name):
    """Scores and answers of a task, as plain values."""
    found = [result.to_dict() for result in task.predict(inputs(name))]
    scores = task.evaluate(TASKS[name][1]())
    return {"answers": [str(answer)[:400] for answer in found], "scores": scores}


def train(
    name,
    strategy=None,
    policy=None,
    optimizer=None,
    scoped=False,
    validated=False,
    stop_after=None,
    dies=None,
    **options,
):
    """Trains a small task; returns it, and a dict of its history and its answers.

    Args:
        name: One of `TASKS`.
        strategy: Kind of a strategy, or `None`.
        policy: Name of a dtype policy.
        optimizer: Dict of a Keras optimizer's class and options, or `None` for plain
            gradient descent, whose steps are as large as the gradients are: Adam makes
            much of rounding errors.
        scoped: Whether to call everything within the scope, too.
        validated: Whether to score it after each epoch, and to ask it at the end.
        stop_after: Epochs after which to stop, as if somebody had.
        dies: Dict of the worker, the epoch and the batch after which it is killed.
        **options: Of `fit`.
    """
    import keras

    from tasks.strategies import strategy as find

    make, data, own = TASKS[name]
    keras.config.set_dtype_policy(policy or "float32")
    keras.utils.set_random_seed(1)
    found = find(strategy, verbose=False) if strategy else None
    scope = found.scope if found else contextlib.nullcontext
    with scope():
        task = make()
    with scope() if scoped else contextlib.nullcontext():
        given = dict(optimizer or {"class": "SGD", "learning_rate": 0.5})
        # Small enough to clip nearly every step.
        given.setdefault("global_clipnorm", 0.1)
        made = getattr(keras.optimizers, given.pop("class"))(**given)
        shown = {"epochs": 4, "batch_size": 12, "verbose": 0, "seed": 3}
        if validated:
            shown["validation_data"] = data()
        options = {**shown, **own, **options, "callbacks": [_until(stop_after, dies)]}
        found = {"history": _fit(task, data(), optimizer=made, **options)}
        if validated:
            found |= ask(task, name)
    return task, found


class _Stop(Exception):
    """Ends a run in the middle."""


def _until(epochs, dies):
    import keras

    class Until(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
            if epoch == epochs:
                raise _Stop

        def on_train_batch_end(self, batch, logs=None):
            if dies and (dies["epoch"], dies["batch"]) == (self.epoch, batch):
                config = json.loads(os.environ["TF_CONFIG"])
                if config["task"]["index"] == dies["worker"]:
                    os.kill(os.getpid(), signal.SIGKILL)

    return Until()


def _fit(task, data, **options):
    try:
        return task.fit(data, **options).history
    except _Stop:
        return {}


def arrays(task):
    """All weights of a task, as arrays."""
    from tasks.distributed_values import read

    return [read(w) for w in task.training_model.weights]


def start(jobs, output, cpus=2, environment=None):
    """Starts a process that trains; returns it.

    Args:
        jobs: Dict from a name to arguments of `train`; weights are written to
            `output / f"{name}.npz"`, what else there is to `output / f"{name}.json"`.
        output: Folder.
        cpus: Number of logical CPUs.
        environment: Dict of variables to set.
    """
    code = (
        "import sys, json; from tests.distributed import main; "
        "main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]))"
    )
    quiet = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    log = open(pathlib.Path(output) / f"log{time.monotonic_ns()}.txt", "w+")
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            code,
            json.dumps(jobs),
            output,
            f"{cpus}",
        ],
        cwd=ROOT,
        env={**os.environ, **quiet, **(environment or {})},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    process.log = log
    return process


def start_workers(jobs, folder, workers=2, **environment):
    """Starts worker processes on this machine; each writes to a folder of its own."""
    sockets = [socket.socket() for _ in range(workers)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]}
    for one in sockets:
        one.close()
    started = []
    for index in range(workers):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        output = pathlib.Path(folder) / str(index)
        output.mkdir(parents=True, exist_ok=True)
        given = {"TF_CONFIG": config, **environment}
        started.append(start(jobs, output, 1, given))
    return started


def finish(processes, seconds=240):
    """Waits for processes, and ends those that are not done in time.

    Returns:
        List of their exit codes, and of what they have said.
    """
    end = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    said = []
    for process in processes:
        process.log.seek(0)
        said.append(process.log.read()[-4000:])
        process.log.close()
    return [process.returncode for process in processes], said


def trained(folder, name):
    """Weights that a process has written, as a list."""
    with np.load(pathlib.Path(folder) / f"{name}.npz") as found:
        return [found[key] for key in found.files]


def said(folder, name):
    """History, answers and scores that a process has written."""
    return json.loads((pathlib.Path(folder) / f"{name}.json").read_text())


def main(jobs, output, cpus):
    import tensorflow as tf

    if cpus > 1:
        one = tf.config.LogicalDeviceConfiguration()
        physical = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(physical, [one] * cpus)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    for name, arguments in jobs.items():
        begun = time.monotonic()
        task, found = train(**arguments)
        np.savez(pathlib.Path(output) / f"{name}.npz", *arrays(task))
        (pathlib.Path(output) / f"{name}.json").write_text(json.dumps(found))
        print(name, f"{time.monotonic() - begun:.1f} s", flush=True)
