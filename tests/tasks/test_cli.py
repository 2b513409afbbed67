"""The `zoo` command, with a task that needs no model."""

import io
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import zoo
from tasks import cli, recipes, results
from tasks.data.series import SeriesSet
from tasks.forecast.result import Forecast
from tasks.translations import Translation
from zoo.cards import Card
from zoo.errors import PresetError

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("list", "card", "demo", "predict", "evaluate", "train", "fit", "export"),
    *("tune", "tpu-check"),
)
CARD = {
    "name": "ner_toy.tiny_en",
    "task": "ner",
    "data": ["tiny", "small"],
    "licence": "CC BY 4.0",
    "metrics": {"f1": {"mean": 0.4321, "std": 0.01, "seeds": [1, 2]}, "recall": 0.5},
    "baseline": {"f1": 0.2},
    "parameters": 1_500_000,
    "size_bytes": 2_600_000,
}


class Tagger:
    """Finds words in capitals, remembers what it was told."""

    def __init__(self, name, overrides):
        self.name, self.overrides, self.calls = name, overrides, []

    def predict(self, texts):
        print("a progress bar")
        return [self._answer(text) for text in texts]

    def _answer(self, text):
        tokens = text.split()
        tags = ["B-CAPITALS" if token.isupper() else "O" for token in tokens]
        return results.Entities.from_tags(tokens, tags)

    def evaluate(self, data):
        print("a progress bar")
        return {"f1": 0.25, "precision": 0.5}

    def fit(self, data, validation_data=None, **options):
        self.calls.append(("fit", data, validation_data, options))

    def save(self, folder):
        self.calls.append(("save", folder))

    def export(self, folder):
        self.calls.append(("export", folder))


@pytest.fixture
def loaded(monkeypatch):
    """The tasks that `zoo.load` made."""
    made = []

    def load(name, **overrides):
        made.append(Tagger(name, overrides))
        return made[-1]

    monkeypatch.setattr(zoo, "load", load)
    monkeypatch.setattr(zoo, "card", Card)
    return made


@pytest.fixture
def cards(monkeypatch):
    """A zoo of one model."""
    monkeypatch.setattr(zoo, "list_models", lambda pattern, task: [CARD["name"]])
    monkeypatch.setattr(zoo, "card", lambda name: Card.build(CARD, f"# {name}"))


@pytest.fixture
def no_model(monkeypatch):
    def card(name):
        raise PresetError(f"no model {name!r}:\n did you mean ner?")

    monkeypatch.setattr(zoo, "card", card)


@pytest.fixture
def recipe(monkeypatch):
    """A recipe that notes its arguments."""
    module = types.SimpleNamespace(__doc__="Trains a toy.", ran=[])
    module.add_arguments = lambda parser: parser.add_argument("--quick", type=int)
    module.run = module.ran.append
    monkeypatch.setattr(recipes, "RECIPES", {"ner_toy": module}, raising=False)
    return module


def pipe(monkeypatch, data):
    stream = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(sys, "stdin", stream)


def python(*arguments, **options):
    # JAX, where Keras has imported it here, sets this level for all that follows.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        **{"timeout": 300, "env": environment, **options},
    )


def assert_one_line(capsys, *words):
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("zoo")
    for word in words:
        assert word in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: zoo {command}" in capsys.readouterr().out


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    # A long one has a line of its own.
    assert all(f"\n    {command}" in out for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == zoo.__version__


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "--json"], ["predict", "--help"]]
)
def test_light_commands_start_no_framework(arguments):
    code = (
        "import sys, atexit; from tasks import cli\n"
        "heavy = ['keras', 'tensorflow', 'jax', 'torch', 'numpy']\n"
        "atexit.register(lambda: print([m for m in heavy if m in sys.modules]))\n"
        f"sys.exit(cli.main({arguments}))"
    )
    run = python("-W", "error", "-c", code)
    assert run.returncode == 0
    assert run.stdout.endswith("[]\n")


def test_module_runs_as_a_command():
    assert python("-m", "tasks.cli", "list", "--json").returncode == 0


def test_list_shows_score_and_baseline(cards, capsys):
    assert cli.main(["list"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split("  ")[0] == "ner_toy.tiny_en"
    for cell in ("tiny, small", "f1 0.432 ± 0.010 (2 seeds)", "0.200", "1.5 M"):
        assert cell in row
    assert row.endswith("2.6 MB  CC BY 4.0")


def test_list_as_json_is_the_cards(cards, capsys):
    assert cli.main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [CARD]


def test_list_as_markdown_is_a_table(cards, capsys):
    assert cli.main(["list", "--markdown"]) == 0
    head, rule, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| `ner_toy.tiny_en` | tiny, small | f1 0.432 ±")
    assert head.count("|") == rule.count("|") == row.count("|")


def test_list_passes_pattern_and_task(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(zoo, "list_models", lambda *args: asked.append(args) or [])
    assert cli.main(["list", "*_de", "--task", "ner", "--json"]) == 0
    assert asked == [("*_de", "ner")]
    assert capsys.readouterr().out == "[]\n"


def test_list_of_nothing_says_so(monkeypatch, capsys):
    monkeypatch.setattr(zoo, "list_models", lambda *args: [])
    assert cli.main(["list", "x*"]) == 0
    assert_one_line(capsys, "no model matches")


def test_card_prints_the_text(cards, capsys):
    assert cli.main(["card", "ner_toy.tiny_en"]) == 0
    assert capsys.readouterr().out.endswith("# ner_toy.tiny_en\n")


def test_card_as_json_is_its_facts(cards, capsys):
    assert cli.main(["card", "ner_toy.tiny_en", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == CARD


def test_predict_answers_a_line_a_text(loaded, capsys):
    assert cli.main(["predict", "ner", "go to ROME", "nothing"]) == 0
    assert loaded[0].name == "ner"
    out = capsys.readouterr().out.splitlines()
    assert out == ["a progress bar", "ROME [CAPITALS]", "(no entities)"]


def test_predict_as_json_prints_nothing_else(loaded, capsys):
    assert cli.main(["predict", "ner", "to ROME", "--json"]) == 0
    out, err = capsys.readouterr()
    (answer,) = json.loads(out)
    assert answer["entities"][0]["text"] == "ROME"
    assert err == "a progress bar\n"


def test_predict_reads_a_pipe(loaded, capsys, monkeypatch):
    pipe(monkeypatch, "\ufeffto ROME\r\n\r\nto \u2028 PARIS\n".encode())
    assert cli.main(["predict", "ner", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["text"] for answer in answers] == ["to ROME", "to PARIS"]


def test_predict_reads_a_file(loaded, capsys, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"to \xff ROME\n")
    assert cli.main(["predict", "ner", "--file", str(tmp_path / "in.txt")]) == 0
    assert "ROME [CAPITALS]" in capsys.readouterr().out


def test_predict_of_an_empty_file_is_no_answer(loaded, capsys, tmp_path):
    (tmp_path / "in.txt").write_text("\n")
    assert cli.main(["predict", "x", "--json", "--file", str(tmp_path / "in.txt")]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_predict_writes_a_page(loaded, tmp_path):
    page = tmp_path / "page.html"
    assert cli.main(["predict", "ner", "to ROME", "--html", str(page)]) == 0
    assert "ROME" in page.read_text("utf-8")


class Series:
    """Foretells how often its file says so."""

    task = "forecasting"

    def predict(self, path):
        values = [[float(x) for x in path.read_text().split()]]
        history = SeriesSet.from_any(values)
        return Forecast(history, np.array(values)[..., None])


@pytest.fixture
def forecaster(monkeypatch):
    monkeypatch.setattr(zoo, "load", lambda name: Series())
    monkeypatch.setattr(zoo, "card", Card)


def test_predict_reads_the_files_of_a_forecaster(forecaster, capsys, tmp_path):
    for name, text in (("a", "1 2"), ("b", "3")):
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in "ab"]
    assert cli.main(["predict", "x", *paths, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["mean"] == [[1.0], [2.0]] and second["mean"] == [[3.0]]
    assert cli.main(["predict", "x", "--file", paths[1]]) == 0
    assert "3" in capsys.readouterr().out


def test_predict_asks_for_the_file_of_a_forecaster(forecaster, capsys):
    assert cli.main(["predict", "x"]) == 2
    assert_one_line(capsys, "path of a CSV file")


def test_predict_survives_undecodable_arguments(loaded, capsys):
    assert cli.main(["predict", "ner", "\udcff ROME \x00", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["tokens"][0] == "\udcff"


def test_predict_refuses_two_sources(loaded, capsys):
    assert cli.main(["predict", "ner", "a", "--file", "b"]) == 2
    assert_one_line(capsys, "not both")


def test_predict_without_text_on_a_terminal_says_what_to_give(
    loaded, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    assert cli.main(["predict", "ner"]) == 2
    assert_one_line(capsys, "--file")


def test_evaluate_prints_scores(loaded, capsys):
    assert cli.main(["evaluate", "ner", "test.conll"]) == 0
    assert capsys.readouterr().out.endswith("f1         0.2500\nprecision  0.5000\n")


def test_evaluate_as_json(loaded, capsys):
    assert cli.main(["evaluate", "ner", "test.conll", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"f1": 0.25, "precision": 0.5}


def test_fit_passes_what_was_given_alone(loaded, tmp_path, capsys):
    folder = str(tmp_path / "new")
    assert cli.main(["fit", "ner", "a.conll", "--output", folder]) == 0
    (task,) = loaded
    assert task.overrides == {}
    assert task.calls == [("fit", Path("a.conll"), None, {}), ("save", folder)]


def test_fit_passes_every_option(loaded, tmp_path, capsys):
    options = "--epochs 2 --batch-size 8 --learning-rate 0.01 --seed 5".split()
    arguments = ["fit", "ner", "a", "--validation", "b", "--labels", "X", "Y"]
    folder = str(tmp_path / "new")
    assert cli.main([*arguments, *options, "--json", "--output", folder]) == 0
    (task,) = loaded
    assert task.overrides == {"labels": ["X", "Y"]}
    given = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "seed": 5}
    assert task.calls[0] == ("fit", Path("a"), Path("b"), given)
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "output": folder,
        "scores": {"f1": 0.25, "precision": 0.5},
    }


def test_fit_refuses_a_folder_in_use_before_training(loaded, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert cli.main(["fit", "ner", "a", "--output", str(tmp_path)]) == 2
    assert_one_line(capsys, "other files")
    assert loaded == []


def test_export_writes_where_nothing_is(loaded, tmp_path, capsys):
    assert cli.main(["export", "ner_toy", str(tmp_path / "new")]) == 0
    assert loaded[0].calls == [("export", str(tmp_path / "new"))]
    capsys.readouterr()
    assert cli.main(["export", "ner_toy", str(tmp_path)]) == 2
    assert_one_line(capsys, str(tmp_path), "give a new folder")
    assert len(loaded) == 1


def test_a_page_shows_the_answers_of_any_task(loaded, tmp_path, monkeypatch):
    answers = [Translation("<b>", "<i> & so \ud800"), Translation("", "")]
    monkeypatch.setattr(Tagger, "predict", lambda task, texts: answers)
    page = tmp_path / "page.html"
    assert cli.main(["predict", "ner_toy", "x", "y", "--html", str(page)]) == 0
    assert "&lt;i&gt; &amp; so \ufffd" in page.read_text("utf-8")


def test_train_lists_recipes(recipe, capsys):
    assert cli.main(["train"]) == 0
    assert capsys.readouterr().out == "ner_toy\n"


def test_train_runs_a_recipe(recipe):
    words = "train ner_toy --data-dir data --seeds 4 5 --quick 1".split()
    assert cli.main(words) == 0
    (args,) = recipe.ran
    assert (args.data_dir, args.seeds, args.quick) == ("data", [4, 5], 1)
    assert Path(args.output) == Path("runs", "ner_toy")


def test_train_shows_a_recipes_own_help(recipe, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "ner_toy", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "--quick" in out and "Trains a toy." in out


def test_train_names_the_nearest_recipe(recipe, capsys):
    assert cli.main(["train", "ner_toi"]) == 2
    assert_one_line(capsys, "did you mean ner_toy?")


def test_train_without_data_is_one_line(recipe, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "ner_toy"])
    assert stop.value.code == 2
    assert_one_line(capsys, "--data-dir")


@pytest.mark.parametrize(
    "arguments", [[], ["lits"], ["predict"], ["list", "--json", "--markdown"]]
)
def test_wrong_usage_is_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert_one_line(capsys, "--help")


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "nre", "text"],
        ["evaluate", "nre", "data"],
        ["fit", "nre", "data", "--output", "no-such-folder"],
    ],
)
def test_unknown_model_is_one_line(arguments, no_model, capsys):
    assert cli.main(arguments) == 2
    assert_one_line(capsys, "'nre'", "did you mean ner?")


def test_missing_file_is_one_line(loaded, capsys, tmp_path):
    path = str(tmp_path / "none.txt")
    assert cli.main(["predict", "ner", "--file", path]) == 2
    assert_one_line(capsys, path, "No such file")


def test_surprise_is_one_line_that_tells_how_to_see_more(monkeypatch, capsys):
    monkeypatch.setattr(zoo, "card", {}.__getitem__)
    assert cli.main(["predict", "ner", "text"]) == 2
    assert_one_line(capsys, "KeyError", "--debug")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--debug", "predict", "nre", "text"],
        ["predict", "--debug", "nre", "text"],
        ["predict", "nre", "text"],
    ],
)
def test_debug_raises(arguments, no_model, monkeypatch):
    monkeypatch.setenv("ZOO_DEBUG", "0" if "--debug" in arguments else "1")
    with pytest.raises(PresetError):
        cli.main(arguments)


def test_interrupt_is_130(monkeypatch, capsys):
    def card(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "card", card)
    assert cli.main(["predict", "ner", "text"]) == 130
    assert_one_line(capsys, "stopped")


def test_keras_wakes_without_a_word():
    code = (
        "shell.prepare(); shell.wake_keras(); import keras; print(keras.ops.ones(()))"
    )
    run = python("-c", f"from tasks import shell; {code}")
    assert run.returncode == 0
    assert run.stderr == ""


def test_keras_that_does_not_wake_tells_why():
    code = (
        "sys.modules['keras.src'] = None; shell.run(lambda args: shell.wake_keras(), 0)"
    )
    run = python("-c", f"import sys; from tasks import shell; {code}")
    assert run.stderr.startswith("zoo: ") and "keras" in run.stderr


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_reader_that_leaves_is_no_error():
    code = (
        "import sys, zoo; from zoo.cards import Card; from tasks import cli\n"
        "zoo.card = lambda name: Card('x' * 10**6)\n"
        "sys.exit(cli.main(['card', 'x']))"
    )
    run = python(
        "-c", f"import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n{code}"
    )
    assert run.returncode == 141
    assert run.stderr == ""


def test_terminal_without_the_letters_is_served():
    code = (
        "import sys, zoo; from zoo.cards import Card; from tasks import cli\n"
        "zoo.card = lambda name: Card('Zürich · ♥')\n"
        "sys.exit(cli.main(['card', 'x']))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = python("-c", code, env=environment)
    assert run.returncode == 0
    assert run.stdout == "Z\\xfcrich \\xb7 \\u2665\n"
