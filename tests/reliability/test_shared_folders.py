"""Two runs that are given one folder: the second is told, and harms nothing."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import checkpoints
from tasks.errors import RunError
from tests.small_run import Small

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys, time
import keras
from tests.small_run import Small

class Wait(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("trains", flush=True)
        time.sleep(120)

Small().fit(epochs=2, resume_dir=sys.argv[1], save_every=1, callbacks=[Wait()])
"""


@contextlib.contextmanager
def another(folder):
    """A process that trains in a folder, and is in the middle of it."""
    quiet = {"PYTHONPATH": f"{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", TRAIN, str(folder)],
        cwd=ROOT,
        env={**os.environ, **quiet},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout.readline() == "trains\n"
        yield process
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path):
    with another(tmp_path) as first:
        (tmp_path / "000007.partial").write_bytes(b"what the first is writing")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(RunError) as caught:
            Small().fit(epochs=2, resume_dir=tmp_path)
        message = str(caught.value)
        assert f"(process {first.pid}) is at work in {tmp_path}" in message
        assert "folder of its own" in message and "\n" not in message
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert after == before
        first.kill()
        first.wait(30)
        # Nothing has to be removed by hand after a kill.
        Small().fit(epochs=1, resume_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["000001.checkpoint"]


def test_a_second_run_of_one_process_is_refused(tmp_path):
    with checkpoints.claimed(tmp_path):
        with pytest.raises(RunError, match=f"process {os.getpid()}"):
            Small().fit(epochs=1, resume_dir=tmp_path)
    Small().fit(epochs=1, resume_dir=tmp_path)


def test_a_run_that_fails_gives_its_folder_back(tmp_path):
    Small().fit(epochs=1, resume_dir=tmp_path)
    with pytest.raises(RunError, match="`seed` was 0, now it is 1"):
        Small().fit(epochs=1, seed=1, resume_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["000001.checkpoint"]
