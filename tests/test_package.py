"""What is shipped: the wheel, the source archive, and how they start elsewhere."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import zoo

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = ("zoo", "tasks", "tuning")


def build(builder, folder):
    (path,) = builder(str(ROOT)).build(directory=str(folder))
    return Path(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(WheelBuilder, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    """Names in the source archive, without its top folder."""
    path = build(SdistBuilder, tmp_path_factory.mktemp("sdist"))
    with tarfile.open(path) as file:
        return {name.partition("/")[2] for name in file.getnames()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with what pip makes of the wheel, away from the checkout."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder]
    subprocess.run([*map(str, command), str(wheel)], check=True, timeout=300)
    return folder


def python(installed, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def source_files():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("builder", [WheelBuilder, SdistBuilder])
def test_two_builds_are_one(builder, tmp_path):
    sums = [
        hashlib.sha256(build(builder, tmp_path / name).read_bytes()).hexdigest()
        for name in ("first", "second")
    ]
    assert sums[0] == sums[1]


def test_wheel_holds_every_file_of_the_packages(names):
    assert not set(source_files()) - names


def test_wheel_holds_models_catalogue_and_demo(names):
    assert {"zoo/catalog.json", "tasks/demo/data/recipes_train.conll"} <= names
    for model in zoo.list_models():
        if (ROOT / "zoo" / "presets" / model).is_dir():
            assert f"zoo/presets/{model}/model.weights.h5" in names


def test_wheel_holds_nothing_else(names):
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*PACKAGES, f"recurrent_zoo-{zoo.VERSION}.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".log"))]


def test_wheel_holds_the_licence(names):
    assert f"recurrent_zoo-{zoo.VERSION}.dist-info/licenses/LICENSE" in names


def test_source_archive_holds_what_builds_and_tests_it(archived):
    wanted = {"pyproject.toml", "README.md", "LICENSE", "Makefile", ".ci/run"}
    assert wanted | {"tests/contract.py", "tests/test_package.py"} <= archived
    assert not set(source_files()) - archived


def test_source_archive_holds_nothing_else(archived):
    tops = {name.partition("/")[0] for name in archived}
    files = {".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"}
    files |= {"PKG-INFO", "README.md", "pyproject.toml"}
    assert tops <= {*PACKAGES, *files, ".ci", "benchmarks", "colab", "tests", ""}
    assert not [name for name in archived if "__pycache__" in name]


def test_installed_package_starts_elsewhere(installed):
    code = "import zoo, tasks, tuning; print(zoo.__file__, zoo.list_models())"
    process = python(installed, "-c", code)
    assert process.stderr == ""
    assert (
        process.stdout == f"{installed / 'zoo' / '__init__.py'} {zoo.list_models()}\n"
    )


def test_installed_command_lists_the_models(installed):
    process = python(installed, str(installed / "bin" / "zoo"), "list", "--json")
    assert process.returncode == 0
    assert [card["name"] for card in json.loads(process.stdout)] == zoo.list_models()


def test_command_starts_within_a_second(installed):
    # Of processor time, which other work on the machine does not stretch.
    code = (
        "import sys, time; from tasks import cli; cli.main(['list'])\n"
        "print(time.process_time(), file=sys.stderr)"
    )
    process = python(installed, "-c", code)
    assert float(process.stderr.split()[-1]) < 1


def test_version_has_one_home():
    assert PROJECT["dynamic"] == ["version"]
    assert f"## {zoo.VERSION}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_bounds_are_those_we_promise():
    dependencies = PROJECT["dependencies"]
    assert "keras>=3.15.1" in dependencies
    assert "tensorflow>=2.20,<2.22" in dependencies
    (text,) = [line for line in dependencies if line.startswith("tensorflow-text")]
    assert text == "tensorflow-text>=2.20,<2.22; platform_system != 'Windows'"


def test_extras_are_all_there():
    promised = (
        "jax torch tpu tune metrics report meteor audio data baselines hub export "
        "bench dev"
    )
    promised = promised.split()
    assert set(PROJECT["optional-dependencies"]) == set(promised)


def test_shipped_models_stay_small():
    files = [p for p in (ROOT / "zoo" / "presets").rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 60 * 2**20
