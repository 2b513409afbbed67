"""A run of training that ends its own process at a moment of one's choice.

Moments are counted: the end of every step, and five within the writing of each file.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from tasks import checkpoints

ROOT = Path(__file__).parent.parent
SAVE_EVERY = 5


class Fuse:
    """Counts moments, and at one of them ends the process, as a power cut would.

    Args:
        moment: Which, from 1; 0 for none.
        number: The signal to send instead of SIGKILL.
    """

    def __init__(self, moment, number=signal.SIGKILL):
        self.moment, self.number, self.count = moment, number, 0

    def burn(self):
        self.count += 1
        if self.count == self.moment:
            os.kill(os.getpid(), self.number)


class AfterSteps(keras.callbacks.Callback):
    """Burns a fuse after each step, and has a state of its own."""

    def __init__(self, fuse):
        super().__init__()
        self.fuse, self.steps, self.means = fuse, 0, np.zeros(2)

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.means = 0.9 * self.means + [0.1 * logs["loss"], 0.1 * batch]
        self.fuse.burn()

    def get_state(self):
        return {"steps": self.steps}, [self.means]

    def set_state(self, values, arrays):
        self.steps, self.means = values["steps"], arrays[0]


class _Slow:
    """A file that is written in pieces, with moments between them."""

    def __init__(self, file, fuse):
        self.file, self.fuse = file, fuse

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        for part in range(3):
            self.file.write(data[part * len(data) // 3 : (part + 1) * len(data) // 3])
            self.file.flush()
            self.fuse.burn()


class _System:
    """`os`, with moments before and after a file is moved into place."""

    def __init__(self, fuse):
        self.fuse = fuse

    def __getattr__(self, name):
        return getattr(os, name)

    def replace(self, source, target):
        self.fuse.burn()
        os.replace(source, target)
        self.fuse.burn()


def slow_files(fuse):
    """Lets states be written in pieces, with moments between them."""
    checkpoints.open = lambda path, mode: _Slow(open(path, mode), fuse)
    checkpoints.os = _System(fuse)


def main(folder, moment, output, straight=""):
    """Trains with a fuse; writes what became of it, if it lives that long.

    Args:
        folder: Where states of the run are kept; `""` to train straight through.
        moment: When the process ends, from 1; 0 for never.
        output: File for weights, logs, and states of callbacks.
        straight: Another one, for those of a run straight through.
    """
    fuse = Fuse(int(moment))
    slow_files(fuse)
    _train(
        fuse, output, {"resume_dir": folder, "save_every": SAVE_EVERY} if folder else {}
    )
    if straight:
        _train(fuse, straight, {})


def _train(fuse, output, options):
    from tests.tasks.test_ner import HELD_OUT, TRAIN, TRAINING, make

    own = AfterSteps(fuse)
    stop = keras.callbacks.EarlyStopping("loss", patience=2)
    options = {**TRAINING, "epochs": 3, "callbacks": [own, stop], **options}
    task = make()
    logs = task.fit(TRAIN, HELD_OUT[:8], **options).history
    weights = [keras.ops.convert_to_numpy(w) for w in task.training_model.variables]
    logs = np.array(list(logs.values()))
    np.savez(output, *weights, logs, [own.steps], own.means, [stop.wait, stop.best])


def run(folder, moment, *outputs, timeout=300):
    """Runs `main` in a process of its own; returns it when it has ended."""
    code = "import sys; from tests.killing import main; main(*sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder, f"{moment}", *outputs],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
