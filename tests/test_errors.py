"""One error type for each floor of the house, one sentence each, and no traceback."""

import ast

import pytest

import zoo
from tasks import cli
from tasks.errors import RunError
from tests.test_imports import FILES, tree
from tuning.errors import SearchError
from zoo.errors import PresetError

# Arguments that cannot be meant, packages and files that are not there: as everywhere.
PLAIN = {"ValueError", "TypeError", "ImportError", "AttributeError", "RuntimeError"}
PLAIN |= {"FileNotFoundError", "NotImplementedError", "StopIteration", "OSError"}
INNER = {"_Restart", "NoDevices", "AssertionError", "FloatingPointError"}
SIGNALS = {"KeyboardInterrupt", "SystemExit", "BlockingIOError"}
RUNS = {"resume", "checkpoints", "callback_states", "forks", "interruption"}
RUNS = {f"tasks/{name}.py" for name in RUNS}
OWN = {"zoo": "PresetError", "tasks": "RunError", "tuning": "SearchError"}


def raised(file):
    """Names of the errors that a file raises, with the nodes of their messages."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if isinstance(node.exc.func, ast.Name):
                yield node.exc.func.id, node.exc


def words(call):
    """The constant parts of a message."""
    for node in ast.walk(call):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_each_is_a_value_error():
    assert all(issubclass(e, ValueError) for e in (PresetError, RunError, SearchError))
    assert zoo.PresetError is PresetError


@pytest.mark.parametrize("file", FILES)
def test_a_file_raises_the_error_of_its_floor(file):
    names = {name for name, _ in raised(file) if not name.startswith("_")}
    own = OWN[file.partition("/")[0]]
    assert names <= PLAIN | INNER | SIGNALS | {own}
    if file in RUNS:
        assert names & (PLAIN - {"OSError", "ValueError"}) == set()


@pytest.mark.parametrize("file", FILES)
def test_messages_are_one_line(file):
    for name, call in raised(file):
        assert not any("\n" in text for text in words(call)), f"{name} in {file}"


@pytest.mark.parametrize(
    "error",
    [
        PresetError("folder: it is damaged; save it again."),
        RunError("Another run is at work in runs: wait."),
        SearchError("No search is there."),
        ValueError("two\nlines"),
        FileNotFoundError(2, "No such file or directory", "data.conll"),
        MemoryError(),
        RuntimeError("at graph node\n\nDetected at node ..."),
        RecursionError("too deep"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_command_tells_any_error_in_a_line(error, monkeypatch, capsys):
    def card(name):
        raise error

    monkeypatch.setattr(zoo, "card", card)
    monkeypatch.setenv("ZOO_DEBUG", "0")
    assert cli.main(["card", "ner"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert told.err.startswith("zoo: ") and "Traceback" not in told.err
    with pytest.raises(type(error)):
        cli.main(["card", "ner", "--debug"])
