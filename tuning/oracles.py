"""KerasTuner's algorithms, made to last: what they lose or never say is mended here.

- Their state is in one file, written whole: a kill at any moment leaves the last one.
  KerasTuner writes two files a trial in place, and a grid forgets where it was.
- A failing trial never raises inside of the lock, which KerasTuner would not release.
- `trials` limits Hyperband too; time limits all of them.
- Bayesian optimisation begins after a few random trials, not three times as many as
  there are parameters, and proposes nothing twice.
"""

import json
import math
import os
import random
import threading
import time
import warnings
from pathlib import Path

import keras_tuner
import numpy as np
from keras_tuner import oracles

_NEVER = 10**9
# So many trials may fail before any succeeds.
MOST_FAILURES = 5
_CANDIDATES, _CHANGED = 400, 0.25


class _Lasting:
    """What all algorithms have in common here; stands before KerasTuner's class."""

    def prepare(self, path, trials, max_time):
        """Sets the limits, and takes up the state in a file if there is one.

        Args:
            path: The file.
            trials: Most trials; `None` for as many as there are.
            max_time: Most seconds, those of earlier calls included; `None` for any.
        """
        self._path, self.max_trials = Path(path), trials
        self.lock = threading.RLock()
        self.max_time, self._used, self._began = max_time, 0.0, time.time()
        self.stopped = False
        self.verbose = 0
        if self._path.exists():
            self.reload()
        return self

    def seconds(self):
        """Time spent on this search so far, in all calls together."""
        return self._used + time.time() - self._began

    def deadline(self):
        """When time is up, as `time.time()` counts; `inf` for never."""
        if self.max_time is None:
            return math.inf
        return self._began + self.max_time - self._used

    def hopeless(self):
        """Whether every trial has failed so far, and there were enough of them."""
        states = [t.status for t in self.trials.values() if t.status != "RUNNING"]
        most = min(MOST_FAILURES, self.max_trials or MOST_FAILURES)
        return len(states) >= most and set(states) == {"FAILED"}

    # === KerasTuner's methods ===

    def create_trial(self, tuner_id):
        with self._quietly():
            trial = super().create_trial(tuner_id)
            self.stopped = self.stopped or trial.status == "STOPPED"
            return trial

    def populate_space(self, trial_id):
        if self.hopeless() or time.time() >= self.deadline():
            return {"status": "STOPPED", "values": None}
        return self.propose(trial_id)

    def propose(self, trial_id):
        """What KerasTuner's algorithm says to try next."""
        return super().populate_space(trial_id)

    def update_trial(self, trial_id, metrics, step=0):
        with self._quietly():
            return super().update_trial(trial_id, metrics, step)

    def end_trial(self, trial):
        with self._quietly():
            super().end_trial(trial)
            self.save()

    def _quietly(self):
        return _Quiet(self.lock)

    def get_state(self):
        return {**super().get_state(), "seconds": self.seconds()}

    def set_state(self, state):
        super().set_state(state)
        self._used, self._began = state["seconds"], time.time()

    def save(self):
        trials = [trial.get_state() for trial in self.trials.values()]
        text = json.dumps({"oracle": self.get_state(), "trials": trials})
        partial = self._path.with_suffix(".partial")
        partial.write_text(text, "utf-8")
        os.replace(partial, self._path)

    def _save_trial(self, trial):
        """Nothing: `save` writes all trials together with what they led to."""

    def reload(self):
        state = json.loads(self._path.read_text("utf-8"))
        load = keras_tuner.engine.trial.Trial.from_state
        self.trials = {t["trial_id"]: load(t) for t in state["trials"]}
        self.set_state(state["oracle"])
        # What was running goes on.
        self._retry_queue += [t.trial_id for t in self.ongoing_trials.values()]
        self.ongoing_trials = {}


class _Quiet:
    """Holds a lock, and silences what KerasTuner's own lines are warned for."""

    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        self.lock.acquire()
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error):
        self._caught.__exit__(*error)
        self.lock.release()


class Random(_Lasting, oracles.RandomSearchOracle):
    """Values drawn at random, no combination twice."""


class Bayesian(_Lasting, oracles.BayesianOptimizationOracle):
    """A Gaussian process says which values are most promising.

    KerasTuner walks to the most promising point of a cube and rounds it to a setting,
    which takes seconds and is often one that was tried. Here some hundred settings that
    were not tried are drawn, some of them near the best one, and compared.
    """

    def propose(self, trial_id):
        done = [t for t in self.trials.values() if t.status == "COMPLETED"]
        if len(done) < self.num_initial_points:
            return self._random_populate_space()
        found = self._candidates(self.get_best_trials()[0].hyperparameters.values)
        if not found:
            return {"status": "STOPPED", "values": None}
        inputs, scores = self._vectorize_trials()
        self.gpr.fit(inputs, scores)
        mean, spread = self.gpr.predict(
            np.array([self._vector(values) for values in found]), return_std=True
        )
        # Scores are to be low here, and what is uncertain may be lower still.
        best = int(np.argmin(mean - self.beta * spread))
        return {"status": "RUNNING", "values": found[best]}

    def _candidates(self, best):
        """Settings that were not tried: drawn at random, and near the best one."""
        near = [self._near(best) for _ in range(_CANDIDATES // 2)]
        found = [values for values in near if not self._duplicate(values)]
        for _ in range(_CANDIDATES // 2):
            values = self._random_values()
            if values is None:
                break
            found.append(values)
        return found

    def _near(self, best):
        """The best setting, with about one value in four drawn anew."""
        made = keras_tuner.HyperParameters()
        self._seed_state += 1
        chance = random.Random(self._seed_state)
        for parameter in self.hyperparameters.space:
            made.merge([parameter])
            if not made.is_active(parameter):
                continue
            if chance.random() < _CHANGED or parameter.name not in best:
                value = parameter.random_sample(chance.randrange(2**32))
            else:
                value = best[parameter.name]
            made.values[parameter.name] = value
        return made.values

    def _vector(self, values):
        """A setting as numbers from 0 to 1, as KerasTuner has those that were tried."""
        return [
            p.value_to_prob(values.get(p.name, p.default))
            for p in self._nonfixed_space()
        ]

    def _make_gpr(self):
        made = super()._make_gpr()
        made.n_restarts_optimizer = 4
        return made


class Hyperband(_Lasting, oracles.HyperbandOracle):
    """Many trials with few epochs; the best third of them with thrice as many."""


class Grid(_Lasting, oracles.GridSearchOracle):
    """Every combination, one after the other."""

    def get_state(self):
        ids, address = [], self._ordered_ids._next_index[None]
        while address is not None:
            ids.append(self._ordered_ids._memory[address])
            address = self._ordered_ids._next_index[address]
        queue = list(self._populate_next)
        return {**super().get_state(), "ordered_ids": ids, "populate_next": queue}

    def set_state(self, state):
        super().set_state(state)
        for trial_id in state["ordered_ids"]:
            self._ordered_ids.insert(trial_id)
        self._populate_next = list(state["populate_next"])


def oracle_of(algorithm, space, objective, seed, epochs):
    """Makes an algorithm; `prepare` it before use.

    Args:
        algorithm: One of `tuning.arguments.ALGORITHMS`.
        space: `keras_tuner.HyperParameters`.
        objective: `tuning.objectives.Objective`.
        seed: Integer, decides all that is drawn.
        epochs: Most epochs of a trial, for Hyperband.
    """
    options = dict(
        objective=keras_tuner.Objective(objective.name, objective.direction),
        hyperparameters=space,
        # KerasTuner takes 0 for "draw one".
        seed=seed + 1,
        allow_new_entries=True,
        tune_new_entries=True,
        max_consecutive_failed_trials=_NEVER,
    )
    if algorithm == "random":
        return Random(**options)
    if algorithm == "grid":
        return Grid(**options)
    if algorithm == "hyperband":
        # Again and again, until there are enough trials.
        return Hyperband(max_epochs=epochs, hyperband_iterations=None, **options)
    dimensions = len(space.space)
    return Bayesian(
        num_initial_points=min(10, dimensions + 2), alpha=1e-2, beta=1.5, **options
    )
