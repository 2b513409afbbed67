"""The benchmark of exchange rates keeps to LSTNet's protocol."""

import numpy as np
import pytest

from tests.benchmark_scripts import load


@pytest.fixture(scope="module")
def benchmark():
    return load("exchange_rate")


def walks(days=300):
    return np.random.default_rng(0).normal(size=(days, 3)).cumsum(0)


def test_the_last_value_lies_as_many_days_back(benchmark):
    values = walks()
    said = benchmark.repeated(values)(200, 300, 6)
    assert (said == values[194:294]).all()


def test_rse_and_corr_are_those_of_the_paper(benchmark):
    values, noise = walks(), np.random.default_rng(1).normal(size=(100, 3))
    truth = values[200:]
    found = benchmark.scores(values, (200, 300), lambda a, b, h: truth + h * noise)
    for horizon, score in found.items():
        error = horizon**2 * (noise**2).sum()
        rse = np.sqrt(error / ((truth - truth.mean()) ** 2).sum())
        assert score["rse"] == pytest.approx(rse)
        said = truth + horizon * noise
        corr = [np.corrcoef(truth[:, k], said[:, k])[0, 1] for k in range(3)]
        assert score["corr"] == pytest.approx(np.mean(corr))


def test_every_forecast_ends_where_its_history_does(benchmark, monkeypatch):
    """A forecaster that knows no more than its histories tells their last days."""
    values = np.arange(300.0)[:, None] * [1.0, 10.0, 100.0]
    first, last = 200, 300

    class Spy:
        def predict(self, series):
            ends = np.array([history[-1] for history in series.values])
            mean = np.repeat(ends[:, None], 24, 1)
            return type("Answer", (), {"mean": mean})

    monkeypatch.setattr(benchmark, "trained", lambda *_: Spy())
    seen = {}

    def scores(values, rows, forecast):
        for horizon in benchmark.HORIZONS:
            seen[horizon] = forecast(*rows, horizon)

    monkeypatch.setattr(benchmark, "scores", scores)
    benchmark.model_scores(values, {"test": (first, last)}, seed=0, epochs=1)
    assert set(seen) == {3, 6, 12, 24}
    for horizon, said in seen.items():
        assert (said == values[first - horizon : last - horizon]).all()
