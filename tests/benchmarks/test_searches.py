"""The benchmark of searches adds seeds to what is there, and to nothing else."""

from argparse import Namespace

import pytest

from tests.benchmark_scripts import load
from tuning.objectives import Objective

SPACE = {"units": {"choices": [1, 2]}, "rate": {"fixed": 0.1}}


@pytest.fixture(scope="module")
def searches():
    return load("searches")


def result(*scores):
    """A search whose trials came in another order, and of which one may have failed."""
    records = [
        Namespace(name=f"{n:02d}", status="failed" if x is None else "done", score=x)
        for n, x in enumerate(scores)
    ]
    return Namespace(
        objective=Objective("skill", "max"),
        trials=Namespace(records=records[::-1]),
        seconds=1.4,
        space={"units": {"choices": (1, 2)}, "rate": {"fixed": 0.1}},
    )


def test_the_best_so_far_follows_the_trials(searches):
    found = searches.best_so_far(result(None, 0.1, 0.0, None, 0.3))
    assert found == [None, 0.1, 0.1, 0.1, 0.3]


def test_further_seeds_are_added(searches, monkeypatch):
    results = {"bayesian": [result(0.1, 0.2)], "random": [result(0.0, None)]}
    monkeypatch.setattr(searches, "searches", lambda *_: results)
    args = Namespace(algorithms=["bayesian", "random"])
    earlier = {
        "space": SPACE,
        "scores": "stay",
        "best_so_far": {"bayesian": [[0.0, 0.5]], "random": [[0.1, 0.1]]},
        "failed_trials": {"bayesian": 1, "random": 0},
        "seconds": {"bayesian": [7], "random": [8]},
    }
    assert searches.add(earlier, "forecasting", (), {}, args) == {
        "space": SPACE,
        "scores": "stay",
        "best_so_far": {
            "bayesian": [[0.0, 0.5], [0.1, 0.2]],
            "random": [[0.1, 0.1], [0.0, 0.0]],
        },
        "failed_trials": {"bayesian": 1, "random": 1},
        "seconds": {"bayesian": [7, 1], "random": [8, 1]},
    }
    with pytest.raises(SystemExit, match="another space"):
        searches.add({**earlier, "space": {}}, "forecasting", (), {}, args)
