"""The windows that forecasters and their peers are scored on."""

import os
import sys
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """Both scripts, which import what stands beside them."""
    names = ("forecasting_contestants", "forecasting_scores")
    monkeypatch.syspath_prepend(str(FOLDER))
    yield import_module("forecasting_contestants"), import_module("forecasting_scores")
    for name in names:
        sys.modules.pop(name, None)


def test_every_window_is_there_and_none_is_dropped(scripts):
    contestants, scores = scripts
    size = contestants.Size("", "", context=3, horizon=2)
    values = np.arange(20.0).reshape(10, 2)
    context, future = scores.windows_of(size, values)
    assert context.shape == (6, 3, 2) and future.shape == (6, 2, 2)
    for window in range(6):
        assert (context[window] == values[window : window + 3]).all()
        assert (future[window] == values[window + 3 : window + 5]).all()


def test_the_test_windows_of_etth1_are_those_of_the_field(scripts, monkeypatch):
    """2,785 of them at 96 hours: 2,880 rows, and as many windows as fit."""
    contestants, scores = scripts
    rows = np.zeros((17420, 7))
    monkeypatch.setattr(scores, "read", lambda size: rows)
    size = contestants.Size("", "")
    context, future = scores.windows_of(size, scores.test_rows(size))
    assert len(context) == len(future) == 2785


def test_seasonal_naive_is_the_last_day(scripts, monkeypatch):
    contestants, scores = scripts
    hours = np.arange(17420)
    daily = (hours % 24)[:, None] * np.ones(7)
    monkeypatch.setattr(scores, "read", lambda size: daily)
    size = contestants.Size("", "")
    assert scores.naive_scores(size) == {"mse": 0.0, "mae": 0.0}


def test_each_contestant_has_a_process_of_its_own(scripts):
    _, scores = scripts
    assert scores.apart(os.getpid) != os.getpid()
    with pytest.raises(BrokenProcessPool):  # and its death is not the end of all
        scores.apart(os._exit, 1)
