"""What is known of each trial, in a file of its own that is always whole."""

import json
import math
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

RECORD, MODEL, STATE = "record.json", "model", "state"


@dataclass
class Record:
    """One trial, or the same settings again with another seed.

    Attributes:
        name: Number of the trial, as text; of a further run `"<trial>-<run>"`.
        status: `"running"`, `"done"` or `"failed"`.
        values: Dict of what was set.
        seed: What the run's chance was decided by.
        score: The objective on the validation data; `None` until it is done.
        error: Why it failed, in a line.
        trace: The same with all lines that led there.
        epochs: Epochs that are done.
        seconds: Time it took.
        curve: Dict from the name of a score to its value after each epoch.
        parameters: Number of the model's weights.
        worker: Who ran it.
        starts: Times it was begun since its last epoch came to an end.
    """

    name: str
    status: str = "running"
    values: dict = field(default_factory=dict)
    seed: int = 0
    score: float | None = None
    error: str | None = None
    trace: str | None = None
    epochs: int = 0
    seconds: float = 0.0
    curve: dict = field(default_factory=dict)
    parameters: int | None = None
    worker: str = "0"
    starts: int = 0


class Records:
    """The records of a search, each in a folder below one.

    Args:
        folder: The folder; made if missing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def place(self, name):
        """The folder of a trial."""
        return self.folder / name

    def read(self, name):
        """The record of a trial; `None` if there is none."""
        try:
            text = (self.place(name) / RECORD).read_text("utf-8")
        except FileNotFoundError:
            return None
        return Record(**json.loads(text))

    def write(self, record):
        """Writes a record, so that a kill leaves the old one or the new one."""
        self.place(record.name).mkdir(parents=True, exist_ok=True)
        write_whole(
            self.place(record.name) / RECORD, json.dumps(asdict(record), indent=1)
        )

    def all(self):
        """Every record, in the order of their names."""
        names = [path.parent.name for path in self.folder.glob(f"*/{RECORD}")]
        found = [self.read(name) for name in sorted(names, key=_order)]
        return [record for record in found if record is not None]

    def best(self, objective, count=None):
        """Records that are done, the best first."""
        done = [r for r in self.all() if r.status == "done"]
        done.sort(key=lambda r: (-objective.sign * r.score, _order(r.name)))
        return done[:count]

    def keep_models(self, objective, count):
        """Removes the models of all but the best trials."""
        kept = {record.name for record in self.best(objective, count)}
        for path in self.folder.glob(f"*/{MODEL}"):
            record = self.read(path.parent.name)
            running = record is None or record.status == "running"
            if path.parent.name not in kept and not running:
                shutil.rmtree(path, ignore_errors=True)


def _order(name):
    return [int(part) if part.isdigit() else math.inf for part in name.split("-")]


def write_whole(path, text):
    """Writes a text file that is there as a whole or not at all."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
