"""What is easily forgotten when a layer, a task or a trained model is added."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import zoo
from tasks.recipes import RECIPES
from tests.contract import LayerContract, RecurrentContract
from zoo.hub import PRESETS

ROOT = Path(__file__).parents[1]
TASKS = sorted(
    path.stem
    for path in (ROOT / "tasks").glob("*.py")
    if re.search(r"^class .*\bTask\):$", path.read_text("utf-8"), re.M)
)
MODELS = sorted(path.parent.name for path in PRESETS.glob("*/config.json"))


def public_layers():
    layers = (getattr(zoo.layers, name) for name in zoo.layers.__all__)
    return [layer for layer in layers if inspect.isclass(layer)]


# `Recurrent` has no `scan` of its own: those that derive from it keep its promises.
LAYERS = [layer for layer in public_layers() if layer is not zoo.layers.Recurrent]


def snake_case(name):
    """File of a class: an acronym is one word, `IndRNN` is in ind_rnn.py."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def is_recurrent(layer):
    return hasattr(layer, "state_sizes")


def contracts():
    """Contract test classes below tests/zoo/layers, by the layer they are about."""
    found = {}
    for path in (ROOT / "tests" / "zoo" / "layers").glob("test_*.py"):
        module = importlib.import_module(f"tests.zoo.layers.{path.stem}")
        for _, test in inspect.getmembers(module, inspect.isclass):
            if issubclass(test, LayerContract) and test.layer_class is not None:
                assert test.__name__.startswith("Test"), f"pytest skips {test}"
                found.setdefault(test.layer_class, []).append(test)
    return found


def test_something_is_found():
    assert zoo.layers.ZoneoutLSTM in LAYERS
    assert "ner" in TASKS


def test_names_of_files():
    names = ["ZoneoutLSTM", "IndRNN", "QRNN", "Bidirectional"]
    files = ["zoneout_lstm", "ind_rnn", "qrnn", "bidirectional"]
    assert [snake_case(name) for name in names] == files


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_a_file_and_tests(layer):
    name = snake_case(layer.__name__)
    assert layer.__module__ == f"zoo.layers.{name}"
    assert (ROOT / "tests" / "zoo" / "layers" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_held_to_its_contract(layer):
    tests = contracts().get(layer)
    assert tests, f"no class in tests/zoo/layers has `layer_class = {layer.__name__}`"
    wanted = RecurrentContract if is_recurrent(layer) else LayerContract
    assert all(issubclass(test, wanted) for test in tests)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_contract_names_every_option(layer):
    from tests.contract import constructor_options

    named = set().union(*(test.options for test in contracts().get(layer, [])))
    assert set(constructor_options(layer)) <= named


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_can_be_made_by_name(layer):
    required = contracts()[layer][0].required
    made = zoo.layers.get(snake_case(layer.__name__), **required)
    assert type(made) is layer


def test_every_layer_in_the_folder_is_public():
    import keras

    for path in (ROOT / "zoo" / "layers").glob("[a-z]*.py"):
        module = importlib.import_module(f"zoo.layers.{path.stem}")
        for name, value in inspect.getmembers(module, inspect.isclass):
            own = value.__module__ == module.__name__ and not name.startswith("_")
            if own and issubclass(value, keras.layers.Layer):
                assert name in zoo.layers.__all__


@pytest.mark.parametrize("layer", public_layers())
def test_a_layer_explains_itself(layer):
    assert "Args:" in inspect.getdoc(layer)
    inherited = "".join(base.__doc__ or "" for base in layer.__mro__[:-1])
    for part in ("Call arguments:", "mask:", "Returns:"):
        assert part in inherited


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_tests_under_its_contract(task):
    path = ROOT / "tests" / "tasks" / f"test_{task}.py"
    assert re.search(r"^class Test\w+\(.*TaskContract", path.read_text("utf-8"), re.M)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_public(task):
    import tasks

    text = (ROOT / "tasks" / f"{task}.py").read_text("utf-8")
    for name in re.findall(r"^class (\w+)\([\w, ]*\bTask\)", text, re.M):
        assert getattr(tasks, name).__module__ == f"tasks.{task}"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_can_be_made_again(model):
    assert model in RECIPES
    assert f"zoo train {model}" in zoo.card(model).data["command"]


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_in_the_readme(model):
    assert f"| `{model}` |" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("package", ["zoo", "tasks"])
def test_public_names_can_be_had(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


def test_unknown_public_names_are_errors():
    import tasks

    for module in (zoo, tasks):
        with pytest.raises(AttributeError, match="no_such_name"):
            module.no_such_name  # noqa: B018, asking is the test
