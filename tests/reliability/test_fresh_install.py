"""The wheel in a virtual environment of its own, without a network: the demo runs."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
# Python runs it at every start: whoever asks for the network in this process fails.
NO_NETWORK = """
import sys
def refuse(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise RuntimeError(f"the network was asked for: {event} {given!r}")
sys.addaudithook(refuse)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="paths of Linux and macOS"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel; what it needs is lent from this one."""
    folder = tmp_path_factory.mktemp("fresh")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder))
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-index"]
    subprocess.run([*pip, *options, wheel], check=True, timeout=300)
    paths = {"base": folder / "env", "platbase": folder / "env"}
    site = Path(
        sysconfig.get_path("purelib", vars={k: str(v) for k, v in paths.items()})
    )
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "sitecustomize.py").write_text(NO_NETWORK)
    return folder


def run(installed, program, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [installed / "env" / "bin" / program, *arguments],
        cwd=installed,
        env={**environment, "ZOO_HOME": str(installed / "home")},
        capture_output=True,
        text=True,
        timeout=1500,
    )


def test_the_package_is_that_of_the_environment(installed):
    process = run(installed, "python", "-c", "import zoo, tasks; print(zoo.__file__)")
    assert Path(process.stdout.strip()).is_relative_to(installed / "env")


def test_the_network_is_off(installed):
    code = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    process = run(installed, "python", "-c", code)
    assert "the network was asked for" in process.stderr


def test_nothing_that_it_needs_is_missing_or_too_old(installed):
    code = (
        "from importlib import metadata\n"
        "from packaging.requirements import Requirement\n"
        "for line in metadata.requires('recurrent-zoo'):\n"
        "    one = Requirement(line)\n"
        "    if one.marker is None or one.marker.evaluate({'extra': ''}):\n"
        "        assert metadata.version(one.name) in one.specifier, line\n"
        "print('all there')"
    )
    process = run(installed, "python", "-c", code)
    assert process.stdout == "all there\n", process.stderr


def test_the_demo_runs(installed, tried):
    process = run(installed, "zoo", "demo", "--quick", "--output", "shown")
    assert process.returncode == 0, process.stderr[-2000:]
    assert "London [location]" in process.stdout
    assert "== Done in" in process.stdout
    names = {path.name for path in (installed / "shown").iterdir()}
    assert {"entities.html", "opinions.html"} <= names
    assert not (installed / "home").exists()
    tried(1, "the quick demo runs without a network")
