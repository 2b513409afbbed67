"""The end of a search: further seeds, the winner, its card, tables and pictures."""

import math
import os
import shutil

import zoo
from tuning import report, tensorboard
from tuning.errors import SearchError
from tuning.records import MODEL
from tuning.result import SearchResult, Trials, card_of, shown, winner_of


def run_again(runner, folder, objective, finalists, runs, seed, tell):
    """Runs the best trials again with fresh seeds, each as long as it was.

    Args:
        runner: `tuning.trial.Runner`.
        folder: `tuning.folder.SearchFolder`.
        objective: `tuning.objectives.Objective`.
        finalists: How many of the best.
        runs: How many seeds each.
        seed: That of the search; fresh ones come after it.
        tell: Function that is told of each record.
    """
    for trial in folder.trials.best(objective, finalists):
        for number in range(1, runs + 1):
            name = f"{trial.name}-{number}"
            tell(runner.run(folder.reruns, name, trial.values, seed + number))


def conclude(folder, objective, space, algorithm, finalists):
    """Picks the winner and writes all that a search leaves.

    Returns:
        `SearchResult`.

    Raises:
        SearchError: If no trial succeeded; the message has the causes.
    """
    records = folder.trials.all()
    done = folder.trials.best(objective)
    if not done:
        raise SearchError(_causes(records, folder))
    again = folder.reruns.all()
    winner, score, spread, run = winner_of(done, again, objective, finalists)
    others = [r for r in records if r.status != "done"]
    result = SearchResult(
        directory=folder.path,
        objective=objective,
        trials=Trials(done + others, objective),
        reruns=Trials(again, objective),
        winner=winner.name,
        values=winner.values,
        score=score,
        spread=spread,
        seconds=sum(r.seconds for r in records + again),
        space=space.plain(),
        algorithm=algorithm,
    )
    _keep_best(folder, result, run)
    Trials(records + again, objective).to_csv(folder.path / "trials.csv")
    report.write(result, folder.path)
    tensorboard.write(records, objective, folder.path / "tensorboard")
    return result


def _keep_best(folder, result, run):
    """Copies the best run's model to where it stays, with a card of the search."""
    records = folder.reruns if "-" in run.name else folder.trials
    model = records.place(run.name) / MODEL
    if not model.exists():
        # An earlier call, with fewer trials, had no use for that run's model.
        model = folder.trials.place(result.winner) / MODEL
    if model.exists():
        task = zoo.load(model)
        partial = folder.best.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        task.save(partial, card=card_of(task, _facts(result), _text(result)))
        shutil.rmtree(folder.best, ignore_errors=True)
        os.replace(partial, folder.best)
    for path in folder.reruns.folder.glob(f"*/{MODEL}"):
        if path != model:
            shutil.rmtree(path, ignore_errors=True)


def _facts(result):
    """What the card's front matter tells of the search."""
    scores = [r.score for r in result.reruns.records if r.status == "done"]
    facts = {
        "objective": result.objective.name,
        "validation_score": round(result.score, 4),
        "trials": len(result.trials),
        "failed_trials": sum(r.status == "failed" for r in result.trials.records),
        "algorithm": result.algorithm,
        "search_seconds": round(result.seconds),
        "search_space": result.space,
        "settings": result.values,
    }
    if not math.isnan(result.spread):
        facts["validation_spread"] = round(result.spread, 4)
    if scores:
        facts["further_runs"] = len(scores)
    return facts


def _text(result):
    lines = [
        "# A tuned model",
        "",
        f"Found by `tuning.search`: {len(result.trials)} trials ({result.algorithm}), "
        f"{result.seconds:.0f} seconds of training in all. `{result.objective.name}` "
        f"on the validation data is {result.score:.4f}. These data chose the settings "
        "and the epoch: measure it on others before you rely on it.",
        "",
        "| Setting | Value |",
        "| --- | --- |",
    ]
    lines += [f"| {name} | {shown(value)} |" for name, value in result.values.items()]
    return "\n".join(lines)


def _causes(records, folder):
    if not records:
        return f"No trial was begun: time was up at once. See {folder.path}."
    failed = [r for r in records if r.status == "failed"]
    if not failed:
        return (
            f"No trial came to its end in time. The same call with more `max_time` "
            f"goes on; see {folder.path}."
        )
    causes = list(dict.fromkeys(r.error for r in failed))
    return (
        f"All {len(failed)} trials have failed, the last one with {causes[-1]} "
        f"See {folder.trials.place(failed[-1].name) / 'record.json'}."
    )
