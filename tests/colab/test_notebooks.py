"""The notebooks: whole, public, with the outputs of the code that stands in them."""

import ast
import base64
import re
import subprocess
import sys

import pytest

import zoo
from tests.colab import execute

NAMES = [
    "build_a_layer",
    "fine_tune_on_tpu",
    "forecast_your_csv",
    "quickstart",
    "search",
]
LARGEST = 1_000_000  # bytes
# What a notebook may import beside the standard library.
ALLOWED = {"zoo", "tasks", "tuning", "keras", "numpy", "matplotlib", "jax", "IPython"}
# Modules of ours that are public on their own: not `tasks.ner`, but `tasks`.
PUBLIC_MODULES = {"zoo", "tasks", "tuning", *(f"zoo.{name}" for name in zoo._MODULES)}
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])(/(home|root|work|tmp|usr|opt|var|Users|content|mnt)/)|[A-Za-z]:\\\\"
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(params=execute.NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return execute.read(path)


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def syntax(notebook):
    return ast.parse("\n".join(execute.code_of(notebook)))


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell["outputs"]]


def shown_texts(notebook):
    """All that outputs show as text."""
    for output in outputs(notebook):
        data = output.get("data", {})
        shown = [output.get("text", ""), *(v for k, v in data.items() if "text" in k)]
        yield from ("".join(x) for x in shown)


def pictures(notebook):
    found = [output.get("data", {}).get("image/png") for output in outputs(notebook)]
    return [base64.b64decode("".join(image)) for image in found if image]


def is_public(module):
    """Whether a dotted name is that of a public module, or of one in `zoo.ops`."""
    if module.startswith("zoo.ops."):
        module = "zoo.ops"
    return module in PUBLIC_MODULES or module.partition(".")[0] not in (
        "zoo",
        "tasks",
        "tuning",
    )


def test_all_are_there():
    assert [path.stem for path in execute.NOTEBOOKS] == NAMES


def test_format_is_valid(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.from_dict(notebook))


def test_it_begins_with_a_title(notebook):
    assert execute.text_of(notebook["cells"][0]).startswith("# ")


def test_first_code_installs_only_what_is_missing(notebook):
    first = execute.text_of(code_cells(notebook)[0])
    assert 'importlib.util.find_spec("zoo") is None' in first
    assert '"-m", "pip", "install"' in first


def test_all_install_from_one_address():
    found = {
        address
        for path in execute.NOTEBOOKS
        for address in re.findall(r"https://github\.com/[^\s\"]+", path.read_text())
        if address.rstrip("\\").endswith("/recurrent-zoo")
    }
    assert len({address.rstrip("\\") for address in found}) == 1


def test_imports_are_public(notebook):
    for node in ast.walk(syntax(notebook)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module]
        else:
            continue
        for module in modules:
            top = module.partition(".")[0]
            assert top in ALLOWED | sys.stdlib_module_names, module
            assert is_public(module), module


def test_nothing_private_is_used(notebook):
    for node in ast.walk(syntax(notebook)):
        if isinstance(node, ast.Attribute):
            assert not re.match("_(?!_)", node.attr), node.attr


@pytest.mark.parametrize(
    ("module", "public"),
    [
        ("zoo.layers", True),
        ("zoo.ops.linear_scan", True),
        ("zoo.weights", False),
        ("tasks.data.conll", False),
        ("numpy.random", True),
    ],
)
def test_private_modules_are_told_apart(module, public):
    assert is_public(module) == public


def test_no_paths_of_a_machine(notebook):
    sources = [execute.text_of(cell) for cell in notebook["cells"]]
    for text in [*sources, *shown_texts(notebook)]:
        assert not MACHINE_PATH.search(text), text


@pytest.mark.parametrize("text", ["/tmp/x", "in /home/me/zoo", '"/usr/lib/a.py"'])
def test_paths_are_seen(text):
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://a.org/tmp/x", "search/report.html", "</b>"])
def test_other_slashes_are_no_paths(text):
    assert not MACHINE_PATH.search(text)


def test_outputs_are_of_one_run_in_order(notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_are_those_of_this_code(notebook):
    """Else run `python tests/colab/execute.py` again."""
    assert notebook["metadata"]["executed"] == execute.digest_of(notebook)


def test_nothing_failed_or_warned(notebook):
    for output in outputs(notebook):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr", "".join(output["text"])


def test_pictures_are_kept(notebook):
    found = pictures(notebook)
    assert found
    assert all(image.startswith(PNG) for image in found)


def test_file_is_small(path):
    assert path.stat().st_size < LARGEST


def test_tpu_notebook_asks_for_one():
    (path,) = (p for p in execute.NOTEBOOKS if p.stem == "fine_tune_on_tpu")
    metadata = execute.read(path)["metadata"]
    assert metadata["accelerator"] == "TPU"
    assert metadata["colab"]["gpuType"] == "V5E1"


def test_tpu_notebook_says_what_was_not_run():
    (path,) = (p for p in execute.NOTEBOOKS if p.stem == "fine_tune_on_tpu")
    cells = execute.read(path)["cells"]
    (other,) = (c for c in cells if "TPUStrategy(" in execute.text_of(c))
    assert other["cell_type"] == "markdown"
    assert "We have not run this" in execute.text_of(other)


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def test_logs_of_libraries_are_left_out():
    logs = "I0000 00:00:1795 cudart_stub.cc:31] no cuda\n"
    assert execute.without_chatter([stream("stderr", logs)]) == []
    kept = execute.without_chatter([stream("stderr", logs + "UserWarning: mind\n")])
    assert "".join(kept[0]["text"]) == "UserWarning: mind\n"


def test_pieces_of_a_stream_are_joined():
    pieces = [stream("stdout", "a\n"), stream("stdout", "b\n"), stream("stderr", "c")]
    found = execute.without_chatter(pieces)
    assert ["".join(output["text"]) for output in found] == ["a\nb\n", "c"]


@pytest.mark.slow
def test_runs_from_top_to_bottom(path, tmp_path):
    script = execute.__file__
    command = [sys.executable, script, "--check", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_failing_cell_fails_the_run(tmp_path):
    notebook = execute.read(execute.NOTEBOOKS[0])
    cell = {**code_cells(notebook)[0], "source": "assert False, 'planted'"}
    broken = tmp_path / "broken.ipynb"
    execute.keep(broken, {**notebook, "cells": [cell]})
    command = [sys.executable, execute.__file__, "--check", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "planted" in done.stderr
