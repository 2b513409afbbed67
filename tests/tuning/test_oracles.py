"""The algorithms: what they propose, and that no kill makes them forget."""

import math

import pytest

from tuning.arguments import ALGORITHMS
from tuning.hyperparameters import hyperparameters_of, values_of
from tuning.objectives import Objective
from tuning.oracles import MOST_FAILURES, oracle_of
from tuning.space import Space

SPACE = Space.build(
    {
        "kind": {"choices": ["a", "b"]},
        "size": {"choices": [1, 2, 4]},
        "rate": {"low": 0.0, "high": 0.5, "step": 0.25, "when": {"kind": ["b"]}},
    }
)
SMOOTH = Space.build({"x": {"low": -1.0, "high": 1.0}, "y": {"low": -1.0, "high": 1.0}})


def make(path, algorithm, trials=8, space=SPACE, direction="min", **options):
    made = oracle_of(
        algorithm,
        hyperparameters_of(space),
        Objective("error", direction),
        options.pop("seed", 0),
        epochs=4,
    )
    return made.prepare(path / "oracle.json", trials, options.pop("max_time", None))


def test_what_is_sent_to_workers_prints_nothing(capsys):
    sent = hyperparameters_of(SPACE).to_proto()
    assert "rate" in str(sent) and "b" in str(sent)
    assert capsys.readouterr().out == ""


def score(values):
    return values["size"] + (2.0 if values["kind"] == "a" else values["rate"])


def step(oracle, score=score, space=SPACE, status="COMPLETED"):
    """Runs a trial without any training; returns its values, `None` at the end."""
    trial = oracle.create_trial("worker0")
    if trial.status == "STOPPED":
        return None
    raw = trial.hyperparameters.values
    values = values_of(space, raw)
    if status == "COMPLETED":
        oracle.update_trial(trial.trial_id, {"error": score(values)})
    trial.status = status
    oracle.end_trial(trial)
    epochs = {k: v for k, v in raw.items() if k == "tuner/epochs"}
    return {**values, **epochs}


def run(oracle, **options):
    found = []
    while (values := step(oracle, **options)) is not None:
        found.append(values)
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
class TestEvery:
    def test_as_many_trials_as_asked(self, tmp_path, algorithm):
        assert len(run(make(tmp_path, algorithm))) == 8

    def test_the_same_seed_the_same_trials(self, tmp_path, algorithm):
        (tmp_path / "b").mkdir()
        found = run(make(tmp_path, algorithm))
        assert run(make(tmp_path / "b", algorithm)) == found

    def test_a_new_process_goes_on_after_every_trial(self, tmp_path, algorithm):
        (tmp_path / "b").mkdir()
        found = run(make(tmp_path, algorithm))
        again = [step(make(tmp_path / "b", algorithm)) for _ in found]
        assert again == found
        assert step(make(tmp_path / "b", algorithm)) is None

    def test_a_killed_trial_is_given_out_again(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm)
        first = step(oracle)
        lost = oracle.create_trial("worker0")
        again = make(tmp_path, algorithm).create_trial("another")
        assert again.trial_id == lost.trial_id
        assert again.hyperparameters.values == lost.hyperparameters.values
        assert first is not None

    def test_more_trials_may_follow(self, tmp_path, algorithm):
        found = run(make(tmp_path, algorithm, trials=3))
        more = run(make(tmp_path, algorithm, trials=6))
        assert len(found) == len(more) == 3

    def test_failures_are_no_end(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm)
        step(oracle)
        for _ in range(MOST_FAILURES):
            step(oracle, status="FAILED")
        assert step(oracle) is not None

    def test_nothing_but_failures_is_the_end(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm)
        failed = run(oracle, status="FAILED")
        assert len(failed) == MOST_FAILURES
        assert oracle.hopeless()

    def test_time_is_up(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm, max_time=1e-9)
        assert step(oracle) is None

    def test_time_of_earlier_calls_counts(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm, max_time=1000)
        oracle._began -= 700
        step(oracle)
        left = make(tmp_path, algorithm, max_time=1000)
        assert 250 < left.deadline() - left._began < 300.1

    def test_a_half_written_file_is_never_read(self, tmp_path, algorithm):
        oracle = make(tmp_path, algorithm)
        step(oracle)
        (tmp_path / "oracle.partial").write_text('{"oracle": ')
        assert len(make(tmp_path, algorithm).trials) == 1

    def test_no_trial_is_there_twice(self, tmp_path, algorithm):
        found = [tuple(v.items()) for v in run(make(tmp_path, algorithm))]
        assert len(set(found)) == len(found)


def test_a_grid_has_every_combination_and_an_end(tmp_path):
    found = run(make(tmp_path, "grid", trials=None))
    assert len(found) == 3 + 3 * 3
    assert all(("rate" in values) == (values["kind"] == "b") for values in found)


def test_an_exhausted_space_is_an_end(tmp_path):
    found = run(make(tmp_path, "random", trials=100))
    assert 9 <= len(found) <= 12


def test_hyperband_gives_the_best_more_epochs(tmp_path):
    found = run(make(tmp_path, "hyperband", trials=12))
    short = [values for values in found if values["tuner/epochs"] == 2]
    long = [values for values in found if values["tuner/epochs"] == 4]
    assert short and long
    first = next(i for i, v in enumerate(found) if v["tuner/epochs"] == 4)
    chosen = {**found[first], "tuner/epochs": 2}
    tried = [v for v in found[:first] if v["tuner/epochs"] == 2]
    assert score(chosen) == min(map(score, tried))


@pytest.mark.parametrize("direction", ["min", "max"])
def test_bayesian_optimisation_finds_the_valley(tmp_path, direction):
    sign = 1 if direction == "min" else -1

    def valley(values):
        return sign * ((values["x"] - 0.3) ** 2 + (values["y"] + 0.2) ** 2)

    oracle = make(tmp_path, "bayesian", 20, SMOOTH, direction)
    found = run(oracle, score=valley, space=SMOOTH)
    first = min(sign * valley(values) for values in found[:4])
    best = min(sign * valley(values) for values in found)
    assert best < 0.02 < first or best < first / 4
    assert math.isfinite(best)
