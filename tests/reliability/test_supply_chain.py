"""What others have written, and whether a hole in it is known."""

import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests import audit
from tests.test_imports import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_what_is_installed_is_within_the_bounds(tried):
    asked = [Requirement(line) for line in PROJECT["dependencies"]]
    asked = [one for one in asked if one.marker is None or one.marker.evaluate()]
    for one in asked:
        assert metadata.version(one.name) in one.specifier, str(one)
        assert any(bound.operator == ">=" for bound in one.specifier), str(one)
    tried(len(asked))


@pytest.mark.slow
def test_no_hole_is_known(tmp_path, tried):
    found = audit.audit(tmp_path / "audit")
    if found is None:
        pytest.skip(audit.OFFLINE)
    count, holes = found
    assert count > 20
    assert holes == []
    tried(count, f"no hole is known of {count} packages")


def test_without_a_network_it_says_so(tmp_path, monkeypatch, capsys):
    # A program that ends without a word stands for one that cannot be installed.
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(audit.audit, "__defaults__", (tmp_path / "none", None))
    assert audit.main() == 0
    assert capsys.readouterr().out == f"{audit.OFFLINE}\n"


def test_holes_are_told_and_make_it_fail(monkeypatch, capsys):
    monkeypatch.setattr(audit, "audit", lambda: (30, ["h5py 1.0: X-1, fixed in 2.0"]))
    assert audit.main() == 1
    assert "1 known holes\nh5py 1.0: X-1" in capsys.readouterr().out
