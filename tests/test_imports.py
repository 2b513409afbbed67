"""What may import what, read from the source of every file."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("zoo", "tasks", "tuning")  # each may import those before it
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for floor in FLOORS
    for path in (ROOT / floor).rglob("*.py")
)
ZOO_PACKAGES = {"keras", "numpy", "h5py", "rich"}
BACKENDS = {"tensorflow", "tensorflow_text", "jax", "torch"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "yaml"}
FORBIDDEN_NAMES = {"Lambda", "load_model", "enable_unsafe_deserialization"}


def tree(file):
    return ast.parse((ROOT / file).read_text("utf-8"), file)


def imports(nodes):
    """Full names of the modules that import statements below `nodes` load."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(nodes):
    return {name.partition(".")[0] for name in imports(nodes)}


def at_start(module):
    """Statements that run when the module is imported: not those in functions."""
    pending = list(module.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [
                child
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.stmt)
            ]


def test_files_are_found():
    assert "zoo/hub.py" in FILES


@pytest.mark.parametrize("file", FILES)
def test_nothing_imports_upward(file):
    above = FLOORS[FLOORS.index(file.partition("/")[0]) + 1 :]
    assert not tops(ast.walk(tree(file))) & set(above)


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("zoo/")])
def test_zoo_is_keras_and_numpy_only(file):
    foreign = tops(ast.walk(tree(file))) - sys.stdlib_module_names
    assert foreign <= ZOO_PACKAGES | {"zoo"}


@pytest.mark.parametrize("file", FILES)
def test_backends_wake_late(file):
    assert not tops(at_start(tree(file))) & BACKENDS


@pytest.mark.parametrize("file", FILES)
def test_tensorflow_comes_through_the_lazy_module(file):
    assert not tops(ast.walk(tree(file))) & {"tensorflow", "tensorflow_text"}


@pytest.mark.parametrize("file", FILES)
def test_tf_text_is_named_in_a_tokenizer_file_alone(file):
    if file == "zoo/lazy.py" or "token" in Path(file).stem:
        return
    assert "zoo.lazy.tf_text" not in set(imports(ast.walk(tree(file))))


@pytest.mark.parametrize("file", FILES)
def test_no_code_comes_from_data(file):
    for node in ast.walk(tree(file)):
        where = f"{file} line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, where
        if isinstance(node, ast.Attribute):
            assert node.attr not in FORBIDDEN_NAMES, where
        if isinstance(node, ast.keyword):
            assert node.arg != "allow_pickle", where
            if node.arg == "safe_mode":
                assert getattr(node.value, "value", None) is True, where
    loaded = set(imports(ast.walk(tree(file))))
    assert not {name.partition(".")[0] for name in loaded} & FORBIDDEN_MODULES
    assert not {name.rpartition(".")[2] for name in loaded} & FORBIDDEN_NAMES


def run(code, *options):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_zoo_starts_without_any_framework():
    names = sorted(BACKENDS | {"keras", "h5py", "numpy"})
    process = run(f"import sys, zoo; print([n for n in {names} if n in sys.modules])")
    assert (process.stdout, process.stderr) == ("[]\n", "")


def test_listing_models_starts_without_any_framework():
    names = sorted(BACKENDS | {"keras"})
    code = f"zoo.list_models(); print([n for n in {names} if n in sys.modules])"
    process = run(f"import sys, zoo; {code}")
    assert (process.stdout, process.stderr) == ("[]\n", "")


def test_zoo_starts_fast():
    code = "import time; t = time.process_time(); import zoo"
    times = [
        float(run(f"{code}; print(time.process_time() - t)").stdout) for _ in range(3)
    ]
    assert min(times) < 0.5
