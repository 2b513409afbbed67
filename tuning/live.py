"""A table that follows a search: the best so far, what runs, the time left."""

import math
import sys
import threading
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tuning.result import shown

_ROWS = 8


class Board:
    """Shows a search on a terminal as a live table, elsewhere as a line a trial.

    Args:
        folder: `tuning.folder.SearchFolder`, from which all is read.
        objective: `tuning.objectives.Objective`.
        trials: Most trials; `None` if nobody knows.
        max_time: Most seconds; `None` for any.
        verbose: 0 for silence.
        fixed: Names of what is the same in all trials.
        console: `rich.console.Console`, that of standard output by default.

    Use it as a context.
    """

    def __init__(
        self, folder, objective, trials, max_time, verbose, fixed=(), console=None
    ):
        self.folder, self.objective, self.fixed = folder, objective, set(fixed)
        self.trials, self.max_time = trials, max_time
        self.console = console or Console(file=sys.stdout)
        self.silent = verbose == 0
        self.live = None
        self.began = time.time()
        self._before = {r.name for r in folder.trials.all() if r.status != "running"}
        self._told = set(self._before)

    def __enter__(self):
        if not self.silent and self.console.is_terminal:
            self.live = Live(
                get_renderable=self.table,
                console=self.console,
                refresh_per_second=1,
                transient=True,
            )
            self.live.start()
        elif not self.silent:
            self.live = _Lines(self)
            self.live.start()
        return self

    def __exit__(self, *error):
        if self.live is not None:
            self.live.stop()
            self.live = None

    def tell_rerun(self, record):
        """Tells of a run with a fresh seed."""
        if not self.silent:
            text = f"again: {self.line(record)}"
            self.console.print(text, highlight=False, soft_wrap=True)

    def lines(self):
        """A line for each trial that has ended since the last call."""
        found = []
        for record in self.folder.trials.all():
            if record.status != "running" and record.name not in self._told:
                self._told.add(record.name)
                found.append(self.line(record))
        return found

    def line(self, record):
        """A trial in one line."""
        values = ", ".join(
            f"{name}={shown(value)}"
            for name, value in record.values.items()
            if name not in self.fixed
        )
        end = record.error or f"{self.objective.name} {shown(record.score)}"
        return f"trial {record.name}: {end} ({record.seconds:.0f} s; {values})"

    def table(self):
        """The table as it is now, for rich."""
        records = self.folder.trials.all()
        best = self.folder.trials.best(self.objective, _ROWS)
        running = [r for r in records if r.status == "running"]
        names = _varied(best + running)
        table = Table(title=self.title(records), title_justify="left")
        for name in ("trial", self.objective.name, "epochs", "seconds", *names):
            table.add_column(name, overflow="fold")
        for record in [*best, *running]:
            score = "..." if record.status == "running" else shown(record.score)
            cells = [shown(record.values.get(name, "")) for name in names]
            seconds = f"{record.seconds:.0f}"
            table.add_row(record.name, score, str(record.epochs), seconds, *cells)
        return table

    def title(self, records):
        """How far the search is."""
        ended = [r for r in records if r.status != "running"]
        failed = sum(r.status == "failed" for r in ended)
        total = "" if self.trials is None else f" of {self.trials}"
        parts = [f"{len(ended)}{total} trials"]
        if failed:
            parts.append(f"{failed} failed")
        best = self.folder.trials.best(self.objective, 1)
        if best:
            parts.append(f"best {self.objective.name} {shown(best[0].score)}")
        left = self.time_left(ended)
        if math.isfinite(left):
            parts.append(f"about {duration(left)} left")
        return " · ".join(parts)

    def time_left(self, ended):
        """Seconds that the rest will take, as far as one can tell; `inf` if not."""
        passed, left = time.time() - self.began, math.inf
        new = [r for r in ended if r.name not in self._before]
        if self.trials is not None and new:
            left = passed / len(new) * max(0, self.trials - len(ended))
        if self.max_time is not None:
            spent = sum(r.seconds for r in ended if r.name in self._before)
            left = min(left, max(0.0, self.max_time - spent - passed))
        return left


class _Lines:
    """Prints a line for each trial, looking once a second."""

    def __init__(self, board):
        self.board, self.ended = board, threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.ended.set()
        self.thread.join()

    def _follow(self):
        while not self.ended.wait(1.0):
            self._print()
        self._print()

    def _print(self):
        for line in self.board.lines():
            self.board.console.print(line, highlight=False, soft_wrap=True)


def _varied(records):
    names = dict.fromkeys(name for r in records for name in r.values)
    return [n for n in names if len({repr(r.values.get(n)) for r in records}) > 1]


def duration(seconds):
    """Seconds as a person says them."""
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
