"""Modules that wake on first use."""

import inspect
import sys

import pytest

from zoo.lazy import Lazy, tf, tf_text


def test_imports_on_first_use(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    lazy = Lazy("wave", "part of Python")
    assert "wave" not in sys.modules
    assert lazy.open is sys.modules["wave"].open


def test_missing_module_says_what_to_install():
    with pytest.raises(ImportError, match="no_such is needed here: pip install x"):
        _ = Lazy("no_such", "pip install x").thing


def test_broken_module_keeps_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("import absent_two\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_two"):
        _ = Lazy("broken_one", "pip install x").thing


def test_missing_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError):
        _ = Lazy("math", "").no_such


def test_tools_that_look_around_do_not_wake_it():
    lazy = Lazy("no_such", "pip install x")
    assert inspect.unwrap(lazy) is lazy
    assert "no_such" in repr(lazy)


@pytest.mark.parametrize("lazy", [tf, tf_text])
def test_hints_name_a_package(lazy):
    assert "pip install" in lazy._hint
