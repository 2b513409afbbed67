"""Runs that are killed at any moment, and started again, end as if never killed."""

import errno
import os
import signal

import keras
import numpy as np
import pytest

from tasks import checkpoints
from tests import distributed, killing

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the tagger is tested there"
)


def assert_same(one, other):
    """Weights, states of generators, logs, and states of callbacks: bit for bit."""
    with np.load(one) as a, np.load(other) as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name], name)


def killed_at(moment, folder, output):
    process = killing.run(folder, moment, output)
    assert process.returncode == -signal.SIGKILL, process.stderr[-3000:]


def finished(*arguments):
    process = killing.run(arguments[0], 0, *arguments[1:])
    assert process.returncode == 0, process.stderr[-3000:]


@pytest.mark.slow
def test_one_killed_while_it_writes_goes_on(tmp_path):
    state, again, straight = (tmp_path / x for x in ("state", "a.npz", "b.npz"))
    # Five steps, five moments of the first file, five steps, two of the next file.
    killed_at(17, str(state), str(again))
    assert [path.suffix for path in state.iterdir()].count(".checkpoint") == 1
    assert len(list(state.glob("*.partial"))) == 1
    finished(str(state), str(again), str(straight))
    assert_same(again, straight)
    assert not list(state.glob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_one_killed_ten_times_goes_on(seed, tmp_path):
    state, again, straight = (tmp_path / x for x in ("state", "a.npz", "b.npz"))
    finished("", str(straight))
    random, kills = np.random.default_rng(seed), 0
    # So many moments pass from one file to the next; some kills come before the first.
    while kills < 10:
        moment = int(random.integers(1, 2 * killing.SAVE_EVERY + 6))
        process = killing.run(str(state), moment, str(again))
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.stderr[-3000:]
        kills += 1
    assert kills == 10
    finished(str(state), str(again))
    assert_same(again, straight)


@pytest.mark.slow
@pytest.mark.parametrize("worker", [0, 1])
def test_one_of_two_workers_is_killed(worker, tmp_path):
    job = {"name": "language_modeling", "strategy": "workers", "epochs": 3}
    straight = {**job, "resume_dir": str(tmp_path / "straight"), "save_every": 2}
    killed = {**straight, "resume_dir": str(tmp_path / "state")}
    dies = {**killed, "dies": {"worker": worker, "epoch": 1, "batch": 3}}
    for name, jobs, seconds in (
        ("one", {"run": straight}, 300),
        ("dies", {"run": dies}, 90),
        ("two", {"run": killed}, 300),
    ):
        started = distributed.start_workers(jobs, tmp_path / name)
        codes, said = distributed.finish(started, seconds)
        if name == "dies":
            assert codes[worker] == -signal.SIGKILL and codes[1 - worker] != 0, said
            assert (
                checkpoints.paths_in(tmp_path / "state")[0].stem == "000001-000000002"
            )
        else:
            assert codes == [0, 0], said
    for one in ("0", "1"):
        wanted = distributed.trained(tmp_path / "one" / one, "run")
        got = distributed.trained(tmp_path / "two" / one, "run")
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


class Full:
    """Stands for a disk with room for so many bytes."""

    def __init__(self, room):
        self.room = room

    def __call__(self, path, mode):
        file, outer = open(path, mode), self

        class Limited:
            __enter__ = lambda self: self  # noqa: E731

            def __exit__(self, *error):
                file.close()

            def write(self, data):
                file.write(data[: outer.room])
                if len(data) > outer.room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            def __getattr__(self, name):
                return getattr(file, name)

        return Limited()


def fit(folder, **options):
    keras.utils.set_random_seed(1)
    task = distributed.make_text_classification()
    shown = {"epochs": 2, "batch_size": 30, "verbose": 0}
    task.fit(distributed.labelled(60), resume_dir=folder, **shown, **options)
    return task


class TestNoRoom:
    def test_a_full_disk_is_told_and_keeps_the_last_state(self, tmp_path, monkeypatch):
        straight = fit(tmp_path / "straight")
        full = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: (
                monkeypatch.setattr(checkpoints, "open", Full(999), raising=False)
                if epoch == 1
                else None
            )
        )
        said = "No space left.*could not be saved in.*Make room.*000001.checkpoint"
        with pytest.raises(OSError, match=said) as caught:
            fit(tmp_path / "state", callbacks=[full])
        assert caught.value.errno == errno.ENOSPC
        assert [p.name for p in (tmp_path / "state").iterdir()] == ["000001.checkpoint"]
        monkeypatch.undo()
        resumed = fit(tmp_path / "state")
        for a, b in zip(
            resumed.training_model.weights, straight.training_model.weights, strict=True
        ):
            np.testing.assert_array_equal(a.numpy(), b.numpy())

    def test_a_folder_that_cannot_be_written_is_told_before_training(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(OSError, match="Choose a folder, not a file"):
            fit(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_read_only_folder_is_told_before_training(self, tmp_path, monkeypatch):
        def refused(path, data):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        # The superuser may write anywhere: the system's answer is put in its place.
        monkeypatch.setattr("pathlib.Path.write_bytes", refused)
        with pytest.raises(PermissionError, match="can be written to"):
            fit(tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
    def test_so_is_a_real_one(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError, match="can be written to"):
            fit(tmp_path)
