"""A search for TensorBoard's HParams page, and each trial's learning curves."""

import shutil
from pathlib import Path

from tasks.tensorboard import FAILURE, SUCCESS, Board


def write(records, objective, folder):
    """Writes each trial as a session; `tensorboard --logdir FOLDER` shows them.

    Args:
        records: List of `tuning.records.Record`.
        objective: `tuning.objectives.Objective`.
        folder: Where; what an earlier call wrote there is replaced.
    """
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for record in records:
        if record.status != "running":
            _write_session(record, objective, folder / record.name)


def _write_session(record, objective, folder):
    board = Board(folder)
    board.settings(record.values)
    for name, values in record.curve.items():
        for epoch, value in enumerate(values):
            board.scalar(f"epoch/{name}", value, epoch)
    done = record.status == "done"
    if done:
        board.scalar(objective.name, record.score, 0)
    board.end(SUCCESS if done else FAILURE)
    board.close()
