"""What a search has found: a trained task, and a table of its trials."""

import csv
import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import zoo
from zoo.cards import Card

_SHOWN = 60


@dataclass(frozen=True)
class Trials:
    """The trials of a search, best first; prints as a table.

    Args:
        records: List of `tuning.records.Record`.
        objective: `tuning.objectives.Objective`.
    """

    records: list
    objective: object

    def __len__(self):
        return len(self.records)

    def __iter__(self):
        return iter(self.rows())

    def __getitem__(self, number):
        return self.rows()[number]

    def names(self):
        """Names of all parameters, in the order they came."""
        found = dict.fromkeys(n for r in self.records for n in r.values)
        return list(found)

    def rows(self):
        """List of dicts of plain values, one a trial."""
        return [
            {
                "trial": r.name,
                "status": r.status,
                self.objective.name: r.score,
                "epochs_done": r.epochs,
                "seconds": round(r.seconds, 2),
                "parameters": r.parameters,
                **{name: r.values.get(name) for name in self.names()},
                "seed": r.seed,
                "worker": r.worker,
                "failure": r.error,
            }
            for r in self.records
        ]

    def to_csv(self, path):
        """Writes the table as CSV; an empty cell is a parameter that did not matter."""
        rows = self.rows()
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else ["trial"])
            writer.writeheader()
            writer.writerows(rows)

    def __str__(self):
        varied = [n for n in self.names() if len({*map(repr, self._values(n))}) > 1]
        head = ["trial", self.objective.name, "epochs", "seconds", *varied]
        lines = [head]
        for r in self.records:
            score = shown(r.score) if r.status == "done" else r.status
            cells = [shown(r.values.get(name, "")) for name in varied]
            row = [r.name, score, str(r.epochs), f"{r.seconds:.0f}", *cells]
            if r.error:
                row.append(r.error[:_SHOWN])
            lines.append(row)
        widths = [max(len(row[i]) for row in lines) for i in range(len(head))]
        return "\n".join(
            "  ".join([*map(str.ljust, row, widths), *row[len(head) :]]).rstrip()
            for row in lines
        )

    def _values(self, name):
        return [record.values.get(name) for record in self.records]


def shown(value):
    """A value as a table has it: floats with four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


@dataclass(frozen=True)
class SearchResult:
    """What `tuning.search` returns.

    Attributes:
        directory: `pathlib.Path` with everything: `report.html`, `report.png`,
            `trials.csv`, `best`, the models of the best trials.
        objective: `tuning.objectives.Objective`.
        trials: `Trials`, best first.
        reruns: `Trials`: the best ones again, with fresh seeds.
        winner: Number of the trial that won, as text.
        values: Dict of what was set in it.
        score: Mean score of its runs with fresh seeds on the validation data; without
            such runs the trial's own, which the search has picked and is too good.
        spread: Standard deviation of these scores; `nan` for less than two.
        seconds: Time all trials took together.
        space: The space that was searched, as plain data.
    """

    directory: Path
    objective: object
    trials: Trials
    reruns: Trials
    winner: str
    values: dict
    score: float
    spread: float
    seconds: float
    space: dict
    algorithm: str

    @cached_property
    def best(self):
        """The trained task of the winner: ready for `predict`, `evaluate`, `save`."""
        return zoo.load(self.directory / "best")

    def save(self, folder):
        """Writes the best task as a preset, with a card that tells of the search."""
        return self.best.save(folder, card=zoo.card(self.directory / "best"))

    def __str__(self):
        runs = len(_runs(self.reruns.records, self.winner))
        spread = "" if math.isnan(self.spread) else f" ± {self.spread:.4f}"
        seeds = f" (mean of {runs} fresh seeds)" if runs else ""
        set_to = ", ".join(f"{k}={v!r}" for k, v in self.values.items())
        return (
            f"{self.trials}\n\nbest: trial {self.winner}, {self.objective.name} "
            f"{self.score:.4f}{spread}{seeds}\n{set_to}\n{self.directory}"
        )


def _runs(records, name):
    return [r for r in records if r.name.rpartition("-")[0] == name]


def winner_of(trials, reruns, objective, finalists):
    """Picks the winner among the best trials.

    Args:
        trials: Records of trials, best first.
        reruns: Records of further runs.
        finalists: How many of the trials were run again.

    Returns:
        The winning record, the mean of its score over fresh seeds (its own score if it
        had none that succeeded), their standard deviation, and the record of the run
        whose model is best.
    """
    found = []
    for trial in trials[: max(finalists, 1)]:
        runs = [r for r in _runs(reruns, trial.name) if r.status == "done"]
        scores = [r.score for r in runs] or [trial.score]
        spread = statistics.stdev(scores) if len(scores) > 1 else math.nan
        best = max([trial, *runs], key=lambda r: objective.sign * r.score)
        found.append((bool(runs), statistics.mean(scores), spread, trial, best))
    # A trial whose further runs have all failed has only its picked score to show.
    again = [entry for entry in found if entry[0]] or found
    _, mean, spread, trial, best = max(again, key=lambda e: objective.sign * e[1])
    return trial, mean, spread, best


def card_of(task, result_facts, body):
    """The card of a tuned model: front matter and text."""
    data = {
        "task": task.task,
        "parameters": int(task.model.count_params()),
        **result_facts,
    }
    return Card.build(data, body)
