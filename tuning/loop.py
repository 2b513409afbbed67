"""Trial after trial: what the algorithm proposes is run, and its score told."""

import time

from tuning.hyperparameters import values_of


def run_trials(oracle, runner, records, *, seed, keep, worker="worker0", most=None):
    """Runs trials until the algorithm has no more.

    Args:
        oracle: One of `tuning.oracles`, or KerasTuner's client of one elsewhere.
        runner: `tuning.trial.Runner`.
        records: `tuning.records.Records`.
        seed: What the chance of every trial is decided by.
        keep: Number of best trials whose models stay on disk.
        worker: Name of this process, one of its own.
        most: Number of trials to run at most, or `None`.

    Returns:
        Whether there may be more.
    """
    objective, count = runner.objective, 0
    while most is None or count < most:
        trial = oracle.create_trial(worker)
        if trial.status == "STOPPED":
            return False
        if trial.status == "IDLE":
            # Another worker's trial must end first.
            time.sleep(0.2)
            continue
        values = values_of(runner.space, trial.hyperparameters.values)
        epochs = trial.hyperparameters.values.get("tuner/epochs")
        if epochs is not None:
            values["epochs"] = int(epochs)
        record = runner.run(records, trial.trial_id, values, seed)
        if record.status == "done":
            oracle.update_trial(trial.trial_id, {objective.name: record.score})
            trial.status = "COMPLETED"
        else:
            trial.status, trial.message = "FAILED", record.error
        oracle.end_trial(trial)
        records.keep_models(objective, keep)
        count += 1
    return True
