"""What every task promises: a test method per promise.

A test class inherits `TaskContract` (and `TextInputs` or `FileInputs`, if its task
reads such), and says how to make a small task and what to ask it. Its module gives two
fixtures of scope `module`, which no test may change: `trained`, the small task fitted
on `data()`, and `one_epoch`, a folder with an untrained task, and the task it became in
one epoch.
"""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo

ROOT = pathlib.Path(__file__).parent.parent
TOLERANCE = 1e-5


def run_python(code, *arguments, timeout=900):
    """Runs code in a process that has run no test; returns the process."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def assert_alike(got, wanted, tolerance=TOLERANCE):
    """Asserts that two plain answers are equal, their numbers up to rounding."""
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert_alike(a, b, tolerance)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, abs=tolerance)
    else:
        assert got == wanted


def weights(task):
    """All weights of a task, as arrays."""
    return [keras.ops.convert_to_numpy(w) for w in task.training_model.weights]


def assert_same_weights(got, wanted):
    for a, b in zip(weights(got), weights(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


class KillAfter(keras.callbacks.Callback):
    """Ends its own process in an epoch, as a power cut would."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.where, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.where:
            os.kill(os.getpid(), signal.SIGKILL)


_ANSWER = """
import json, sys
import zoo
folder, questions, answers = sys.argv[1:]
task = zoo.load(folder)
results = task.predict(json.load(open(questions)))
json.dump([r.to_dict() for r in results], open(answers, "w"))
"""

_TRAIN = """
import json, sys
import zoo
from tests.task_contract import KillAfter
start, arguments, state = sys.argv[1:]
zoo.load(start).fit(
    **json.load(open(arguments)), resume_dir=state, callbacks=[KillAfter(1, 1)]
)
"""

_SERVE = """
import sys
import numpy as np
import tensorflow as tf
folder, inputs, outputs = sys.argv[1:]
exported = tf.saved_model.load(folder)
given = {name: tf.constant(x) for name, x in np.load(inputs).items()}
np.savez(outputs, **{name: x.numpy() for name, x in exported.serve(given).items()})
assert "zoo" not in sys.modules
"""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TaskContract:
    """What every task promises.

    Attributes:
        score: Name of the score to be high on the toy.
        enough: How high.
        tolerance: How far the numbers of answers may lie apart by rounding.
        watched: Name of the score that training follows, if it is another.
        training: Arguments of `fit`, without data.
        trained_form: The one of `data_forms` to train on, too.
        new_head: Overrides of `zoo.load` that make a new head.
        head: Names of the layers that it is made of.
    """

    # What all tasks do by the same code, and costs much, is tried on one of them with
    # every change; on the others (`variant = True`) with `make test-all`.
    variant = False
    costly = (
        "test_a_killed_run",
        "test_exported_model",
        "test_the_seed_decides",
        "test_lengths_do_not_pile_up",
        "test_the_form_of_data",
        "test_history_has",
    )
    score, enough, watched = None, 0.9, None
    tolerance = TOLERANCE
    training = {}
    trained_form = None
    new_head, head = {}, ()

    def make(self, **options):
        """A small untrained task."""
        raise NotImplementedError

    def data(self):
        """A list of plain examples to learn from, as `fit` takes it."""
        raise NotImplementedError

    def held_out(self):
        """Other examples of the same kind."""
        raise NotImplementedError

    def data_forms(self, folder):
        """Dict from a name to `data()` in another form; `folder` is for files."""
        raise NotImplementedError

    def inputs(self):
        """Some inputs of different lengths, plain enough for JSON."""
        raise NotImplementedError

    def prepared(self, task):
        """One batch of arrays as `task.model` takes it."""
        raise NotImplementedError

    # === Answers ===

    def test_a_list_is_answered_as_its_items_are(self, trained):
        single = [trained.predict(x).to_dict() for x in self.inputs()]
        assert_alike(
            [r.to_dict() for r in trained.predict(self.inputs())],
            single,
            self.tolerance,
        )

    def test_small_batches_answer_as_one(self, trained):
        small = trained.predict(self.inputs(), batch_size=2)
        whole = trained.predict(self.inputs())
        whole = [r.to_dict() for r in whole]
        assert_alike([r.to_dict() for r in small], whole, self.tolerance)

    def test_answers_come_in_the_order_of_inputs(self, trained):
        forth = [r.to_dict() for r in trained.predict(self.inputs())]
        back = [r.to_dict() for r in trained.predict(self.inputs()[::-1])]
        assert_alike(back[::-1], forth, self.tolerance)

    def test_no_inputs_have_no_answers(self, trained):
        assert trained.predict([]) == []

    def test_answers_print(self, trained):
        assert all(str(result) for result in trained.predict(self.inputs()))

    def test_lengths_do_not_pile_up_traces(self, trained):
        longest = max(self.inputs(), key=len)
        for n in range(1, 51):
            trained.predict([longest * n for _ in range(1 + n % 3)])
        if hasattr(trained.model.predict_function, "experimental_get_tracing_count"):
            count = trained.model.predict_function.experimental_get_tracing_count()
            assert count <= 8

    @pytest.mark.parametrize("size", [0, -1])
    def test_batches_without_rows_are_refused(self, trained, size):
        with pytest.raises(ValueError, match=f"batch_size.*{size}"):
            trained.predict(self.inputs(), batch_size=size)

    # === Scores ===

    def test_learns_its_toy(self, trained):
        assert trained.evaluate(self.held_out())[self.score] > self.enough

    def test_an_untrained_task_has_not_learnt_it(self):
        assert self.make().evaluate(self.held_out())[self.score] < self.enough

    def test_scores_are_plain_floats(self, trained):
        scores = trained.evaluate(self.held_out())
        assert all(type(name) is str for name in scores)
        assert all(type(value) is float for value in scores.values())

    def test_every_form_of_data_scores_alike(self, trained, tmp_path):
        wanted = trained.evaluate(self.data())
        for name, form in self.data_forms(tmp_path).items():
            assert trained.evaluate(form) == wanted, name

    # === Training ===

    def test_the_form_of_data_does_not_matter(self, one_epoch, tmp_path):
        start, wanted = one_epoch
        other = zoo.load(start)
        form = self.data_forms(tmp_path)[self.trained_form]
        other.fit(form, **{**self.training, "epochs": 1})
        assert_same_weights(other, wanted)

    def test_the_seed_decides(self, one_epoch):
        start, wanted = one_epoch
        same, other = zoo.load(start), zoo.load(start)
        same.fit(self.data(), **{**self.training, "epochs": 1})
        assert_same_weights(same, wanted)
        other.fit(self.data(), **{**self.training, "epochs": 1, "seed": 6})
        with pytest.raises(AssertionError):
            assert_same_weights(other, wanted)

    def test_history_has_a_finite_loss_and_a_score_of_each_epoch(self, capsys):
        training = {**self.training, "epochs": 2, "verbose": 2}
        history = self.make().fit(self.data(), self.held_out(), **training).history
        assert np.isfinite(history["loss"]).all() and len(history["loss"]) == 2
        assert len(history[f"val_{self.watched or self.score}"]) == 2
        assert "Epoch 2/2" in capsys.readouterr().out

    def test_data_without_examples_are_refused(self):
        with pytest.raises(ValueError, match="no sentences|no examples|empty"):
            self.make().fit([], **self.training)

    def test_a_killed_run_goes_on_as_if_it_had_not_been(self, one_epoch, tmp_path):
        start, state = one_epoch[0], tmp_path / "state"
        arguments = {
            "data": self.data(),
            "validation_data": self.held_out()[:8],
            **self.training,
            "epochs": 3,
        }
        (tmp_path / "arguments.json").write_text(json.dumps(arguments))
        killed = run_python(_TRAIN, start, tmp_path / "arguments.json", state)
        assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
        assert len(list(state.glob("*.checkpoint"))) == 1
        straight, resumed = zoo.load(start), zoo.load(start)
        wanted = straight.fit(**arguments).history
        got = resumed.fit(**arguments, resume_dir=state).history
        assert_same_weights(resumed, straight)
        assert got == wanted

    # === Files ===

    def test_saves_and_loads_in_a_fresh_process(self, trained, tmp_path):
        questions, answers = tmp_path / "questions.json", tmp_path / "answers.json"
        questions.write_text(json.dumps(self.inputs()))
        process = run_python(
            _ANSWER, trained.save(tmp_path / "saved"), questions, answers
        )
        assert process.returncode == 0, process.stderr[-2000:]
        wanted = [r.to_dict() for r in trained.predict(self.inputs())]
        assert_alike(json.loads(answers.read_text()), wanted, self.tolerance)

    def test_a_new_head_stands_on_the_old_encoder(self, trained, tmp_path):
        task = zoo.load(trained.save(tmp_path / "saved"), **self.new_head)
        old = {w.path: keras.ops.convert_to_numpy(w) for w in trained.model.weights}
        kept = [w for w in task.model.weights if not set(self.head) & path_of(w)]
        fresh = [w for w in task.model.weights if set(self.head) & path_of(w)]
        assert kept and fresh
        for variable in kept:
            np.testing.assert_array_equal(variable.numpy(), old[variable.path])
        assert any(tuple(w.shape) != old[w.path].shape for w in fresh)

    def test_unknown_options_are_named_with_the_known_ones(self, trained, tmp_path):
        folder = trained.save(tmp_path / "saved")
        known = next(name for name in trained.options if name not in self.new_head)
        with pytest.raises(ValueError, match=f"unist.*{known}"):
            zoo.load(folder, unist=3)

    def test_exported_model_serves_without_the_zoo(self, trained, tmp_path):
        trained.export(tmp_path / "exported")
        inputs, outputs = tmp_path / "inputs.npz", tmp_path / "outputs.npz"
        batch = self.prepared(trained)
        np.savez(inputs, **batch)
        process = run_python(_SERVE, tmp_path / "exported", inputs, outputs)
        assert process.returncode == 0, process.stderr[-2000:]
        wanted, got = trained.model.predict_on_batch(batch), np.load(outputs)
        assert set(got) == set(wanted)
        for name, array in wanted.items():
            np.testing.assert_allclose(got[name], array, atol=TOLERANCE)

    def test_export_overwrites_nothing(self, trained, tmp_path):
        (tmp_path / "mine").mkdir()
        with pytest.raises(ValueError, match="exists already"):
            trained.export(tmp_path / "mine")


def path_of(variable):
    """The names of the layers that hold a variable."""
    return set(variable.path.split("/"))


STRANGE_TEXTS = {
    "empty": "",
    "a space": " ",
    "line ends": "\n\n",
    "all line ends": "one\r\ntwo\x0bthree\x85four\u2028five\x1csix",
    "a long word": "a" * 100_000,
    "a long text": "Ada lives here. " * 6_250,
    "long without an end": "word " * 20_000,
    "emoji": "😀😃 👍🏽",
    "joined emoji": "👩‍👩‍👧‍👦 x\u200dy",
    "right to left": "ולדימיר גר בירושלים‏ \u202eabc\u202c",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x9f",
    "a NUL": "Ada\0Lovelace",
    "lone surrogates": "\ud800 Ada \udfff",
    "combining marks": "e\u0301" + "\u0301" * 500,
    "unknown words": "zxqv wvkj pqqz",
    "another script": "北京 ist 東京",
    "last code point": "\U0010ffff",
}
NO_TEXTS = {
    "None": None,
    "bytes": b"Ada",
    "a number": 3,
    "a dict": {"text": "Ada"},
    "a None inside": ["Ada", None],
    "bytes inside": ["Ada", b"Ada"],
    "a number inside": [3],
    "mixed tokens": [["Ada", 3]],
}


class TextInputs:
    """What every task that reads text promises besides.

    Attributes:
        longest_alike: Characters up to which a strange text must be answered the same
            alone and in a list.
    """

    longest_alike = 1000

    @pytest.mark.parametrize("text", STRANGE_TEXTS.values(), ids=STRANGE_TEXTS)
    def test_survives(self, trained, text):
        self.check_answer(text, trained.predict(text))

    def test_strange_texts_in_one_list_are_answered_alike(self, trained):
        texts = [t for t in STRANGE_TEXTS.values() if len(t) < self.longest_alike]
        single = [trained.predict(text).to_dict() for text in texts]
        assert_alike(
            [r.to_dict() for r in trained.predict(texts)], single, self.tolerance
        )

    @pytest.mark.parametrize("thing", NO_TEXTS.values(), ids=NO_TEXTS)
    def test_refuses(self, trained, thing):
        with pytest.raises(TypeError, match="string"):
            trained.predict(thing)

    def check_answer(self, text, result):
        """Asserts that a result is one of this text."""
        raise NotImplementedError


class NoHead:
    """For a task whose answers have no labels; comes before `TaskContract`."""

    def test_a_new_head_stands_on_the_old_encoder(self, trained, tmp_path):
        """There is no head: other options of training keep all weights."""
        task = zoo.load(trained.save(tmp_path / "saved"), dropout=0.4)
        assert_same_weights(task, trained)
        assert task.options["dropout"] == 0.4


class FileInputs(NoHead):
    """What every task that reads files promises besides; before `TaskContract`.

    The module has the fixtures `train` and `held`, lists of paths with a text each.

    Attributes:
        media_type: Of the files, such as `"image/png"`.
    """

    media_type = None

    @pytest.fixture(autouse=True)
    def _files(self, train, held):
        self.train, self.held = train, held

    def data(self):
        return self.train

    def held_out(self):
        return self.held

    def inputs(self):
        return [path for path, _ in self.held[:7]]

    def test_a_folder_is_read_by_name(self, trained, tmp_path):
        source = pathlib.Path(self.held[0][0])
        names = [f"a{source.suffix.upper()}", f"b{source.suffix}"]
        for name in (*reversed(names), "notes.txt"):
            shutil.copy(source, tmp_path / name)
        found = [getattr(r, trained.example_key) for r in trained.predict(tmp_path)]
        assert found == [tmp_path / name for name in names]

    def test_examples_are_saved_with_their_answers(self, trained, tmp_path):
        raw = base64.b64encode(pathlib.Path(self.held[0][0]).read_bytes()).decode()
        thing = f"data:{self.media_type};base64,{raw}"
        task = zoo.load(trained.save(tmp_path / "one"))
        task.show_examples([thing])
        folder = task.save(tmp_path / "two")
        (example,) = json.loads((folder / "examples.json").read_text())
        text = trained.predict(thing).text
        assert example == {trained.example_key: thing, "text": text}
