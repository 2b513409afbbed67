"""Training on several devices and by several workers means what it means on one."""

import json

import keras
import numpy as np
import pytest

import tasks
from tasks.devices import NoDevices, tf_config
from tasks.strategies import KINDS, Strategy, current, own_files
from tests import distributed

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute needs TensorFlow"
)
TOLERANCE = 1e-5
# Each takes half a minute, so one of them stands for all in quick runs.
SLOW = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in distributed.TASKS
    if name != "text_classification"
]


class TestFinding:
    def test_says_what_it_found_and_chose(self, capsys):
        tasks.strategy("cpu")
        said = capsys.readouterr().out
        assert "Found 1 CPU, no GPU, no TPU. Trains on " in said
        assert "one device, OneDeviceStrategy" in said

    def test_is_silent_on_request(self, capsys):
        tasks.strategy("cpu", verbose=False)
        assert not capsys.readouterr().out

    def test_auto_takes_what_there_is(self):
        assert tasks.strategy("auto", verbose=False).kind == "cpu"

    @pytest.mark.parametrize("kind, near", [("gpu", "gpus"), ("worker", "workers")])
    def test_unknown_kinds_get_the_nearest(self, kind, near):
        with pytest.raises(ValueError, match=f"{kind}.*Did you mean '{near}'.*auto"):
            tasks.strategy(kind)

    @pytest.mark.parametrize("kind", [None, 3, "mirrored"])
    def test_strange_kinds_get_the_list(self, kind):
        with pytest.raises(ValueError, match=f"Kinds: {', '.join(KINDS)}"):
            tasks.strategy(kind)

    @pytest.mark.parametrize("kind", ["parameter_server", "ParameterServerStrategy"])
    def test_parameter_servers_are_refused_with_a_reason(self, kind):
        with pytest.raises(ValueError, match="do not wait for each other.*workers"):
            tasks.strategy(kind)

    @pytest.mark.parametrize("kind, name", [("gpus", "GPU"), ("tpu", "TPU")])
    def test_what_is_not_there_is_told_with_what_is(self, kind, name):
        said = f"no {name} here; found 1 CPU, no GPU, no TPU.*strategy..auto"
        with pytest.raises(NoDevices, match=said):
            tasks.strategy(kind)

    def test_a_tpu_by_name_that_is_not_there_is_told_alike(self):
        with pytest.raises(NoDevices, match="no TPU here.*jax.tpu"):
            tasks.strategy("tpu", tpu="nowhere")

    def test_workers_need_to_be_named(self, monkeypatch):
        monkeypatch.delenv("TF_CONFIG", raising=False)
        with pytest.raises(ValueError, match="TF_CONFIG.*Found no TF_CONFIG"):
            tasks.strategy("workers")

    @pytest.mark.parametrize(
        "text, said",
        [
            ("{", "cannot be read"),
            ("[]", "cannot be read"),
            ('{"cluster": {"worker": ["a"], "ps": ["b"]}}', "nothing but workers"),
            (
                '{"cluster": {"worker": ["a"]}, "task": {"type": "ps"}}',
                "nothing but workers",
            ),
            ('{"cluster": {"worker": ["a"]}, "task": {"index": 1}}', "number 1"),
        ],
    )
    def test_a_wrong_tf_config_is_told(self, text, said, monkeypatch):
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(ValueError, match=said):
            tasks.strategy("auto")

    def test_tf_config_is_read(self, monkeypatch):
        cluster = {"worker": ["a:1", "b:2"]}
        given = {"cluster": cluster, "task": {"type": "worker", "index": 1}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(given))
        assert tf_config() == {"worker": 1, "workers": 2}

    def test_one_that_has_started_cannot_join_workers(self, monkeypatch):
        import tensorflow as tf

        tf.zeros(1) + 1
        cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
        given = {"cluster": cluster, "task": {"type": "worker", "index": 0}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(given))
        with pytest.raises(RuntimeError, match="first of all"):
            tasks.strategy("workers")

    @pytest.mark.parametrize("worker, own", [(0, ["a", "c", "e"]), (1, ["b", "d"])])
    def test_files_are_dealt_out(self, worker, own):
        found = Strategy("workers", None, ["CPU:0"], worker=worker, workers=2)
        assert own_files(list("edcba"), found) == own

    def test_each_worker_needs_a_file(self):
        found = Strategy("workers", None, ["CPU:0"], workers=3)
        with pytest.raises(ValueError, match="2 files.*3 workers"):
            own_files(["a", "b"], found)


@on_tensorflow
class TestScope:
    def test_a_task_made_in_it_knows_its_strategy(self):
        found = tasks.strategy("cpu", verbose=False)
        with found.scope():
            assert current() is found
        assert current() is None

    def test_that_of_tensorflow_counts_as_well(self):
        import tensorflow as tf

        with tf.distribute.OneDeviceStrategy("CPU:0").scope():
            assert current().name == "OneDeviceStrategy"

    def test_it_may_be_entered_twice(self):
        found = tasks.strategy("cpu", verbose=False)
        with found.scope(), found.scope():
            assert current() is found

    @pytest.mark.parametrize("inside", [True, False])
    def test_one_device_trains_in_it_and_outside(self, inside):
        scope = tasks.strategy("cpu", verbose=False).scope()
        make, data, own = distributed.TASKS["text_classification"]
        with scope:
            task = make()
            if inside:
                task.fit(data(), **own, epochs=1, verbose=0)
        if not inside:
            task.fit(data(), **own, epochs=1, verbose=0)
        assert len(task.training_model.history.history["loss"]) == 1

    def test_an_error_leaves_it(self):
        with pytest.raises(KeyError), tasks.strategy("cpu", verbose=False).scope():
            raise KeyError
        assert current() is None


def compare(folder, jobs, seconds=900):
    """Trains in one process that has two CPUs; fails if it does."""
    codes, said = distributed.finish([distributed.start(jobs, str(folder))], seconds)
    assert codes == [0], said[0]


def assert_alike(folder, one, other, tolerance=TOLERANCE, elsewhere=None):
    wanted = distributed.trained(folder, one)
    got = distributed.trained(elsewhere or folder, other)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    before = distributed.said(folder, one)["history"]["loss"]
    after = distributed.said(elsewhere or folder, other)["history"]["loss"]
    np.testing.assert_allclose(after, before, rtol=max(1e-5, tolerance))
    assert before[-1] < before[0]


@on_tensorflow
class TestTwoDevices:
    """After more than 20 steps, with sentences of all lengths, and without dropout."""

    @pytest.mark.parametrize("name", ["text_classification", *SLOW])
    def test_they_train_as_one_does(self, name, tmp_path):
        two = {"name": name, "strategy": "cpu", "steps_per_execution": 3}
        compare(tmp_path, {"one": {"name": name}, "two": two})
        assert_alike(tmp_path, "one", "two")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", distributed.TASKS)
    def test_they_answer_as_one_does(self, name, tmp_path):
        options = {"name": name, "validated": True, "epochs": 2}
        two = {**options, "strategy": "cpu"}
        jobs = {"one": options, "two": two, "inside": {**two, "scoped": True}}
        compare(tmp_path, jobs)
        wanted = distributed.said(tmp_path, "one")
        for job in ("two", "inside"):
            got = distributed.said(tmp_path, job)
            assert got["history"].keys() == wanted["history"].keys()
            assert got["scores"] == pytest.approx(wanted["scores"], abs=1e-3)
            assert [a[:40] for a in got["answers"]] == [
                a[:40] for a in wanted["answers"]
            ]

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["text_classification", "translation"])
    @pytest.mark.parametrize(
        "options",
        [
            {"accumulate": 3},
            {"jit_compile": True},
            {"scoped": True},
            {"batch_size": 11},
            {"optimizer": {"class": "AdamW", "learning_rate": 0.01, "epsilon": 0.01}},
        ],
        ids=lambda options: next(iter(options)),
    )
    def test_they_do_however_they_train(self, name, options, tmp_path):
        one = {"name": name, **options}
        two = {**one, "strategy": "cpu"}
        if "accumulate" in options:
            two["steps_per_execution"] = 4
        one.pop("scoped", None)
        compare(tmp_path, {"one": one, "two": two})
        assert_alike(tmp_path, "one", "two")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "policy, tolerance", [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)]
    )
    def test_half_precision_trains(self, policy, tolerance, tmp_path):
        one = {"name": "text_classification", "policy": policy, "epochs": 3}
        two = {**one, "strategy": "cpu"}
        compare(tmp_path, {"one": one, "two": two, "again": {**two, "accumulate": 2}})
        assert_alike(tmp_path, "one", "two", tolerance)
        found = distributed.said(tmp_path, "again")["history"]["loss"]
        assert np.isfinite(found).all()

    @pytest.mark.slow
    def test_a_run_may_go_on_with_other_devices(self, tmp_path, record_property):
        def job(epochs, strategy, folder):
            found = {"name": "language_modeling", "strategy": strategy, "epochs": 4}
            if folder is not None:
                found["resume_dir"] = str(tmp_path / folder)
                found["stop_after"] = epochs
            return found

        jobs = {
            "straight": job(4, None, None),
            "two": job(2, "cpu", "state"),
            "one": job(3, None, "state"),
            "two again": job(4, "cpu", "state"),
        }
        compare(tmp_path, jobs)
        assert_alike(tmp_path, "straight", "two again")
        record_property("tried", 2)  # from two to one, and back


@on_tensorflow
@pytest.mark.slow
def test_gathered_batches_are_one_large_batch(tmp_path):
    # The series have 51 windows: one large batch, or three, make an epoch.
    options = {"name": "forecasting", "epochs": 8}
    jobs = {
        "large": {**options, "batch_size": 51},
        "small": {**options, "batch_size": 17, "accumulate": 3},
    }
    compare(tmp_path, jobs)
    assert_alike(tmp_path, "large", "small")


@on_tensorflow
class TestTwoWorkers:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "name", ["ner", "translation", "language_modeling", "forecasting"]
    )
    def test_they_train_as_one_process_does(self, name, tmp_path):
        options = {"name": name, "validated": True, "epochs": 3}
        compare(tmp_path, {"one": options})
        two = {**options, "strategy": "workers", "steps_per_execution": 2}
        codes, said = distributed.finish(
            distributed.start_workers({"two": two}, tmp_path), 600
        )
        assert codes == [0, 0], said
        for worker in ("0", "1"):
            assert_alike(tmp_path, "one", "two", elsewhere=tmp_path / worker)
            got = distributed.said(tmp_path / worker, "two")["scores"]
            wanted = distributed.said(tmp_path, "one")["scores"]
            assert got == pytest.approx(wanted, abs=1e-3)

    @pytest.mark.slow
    def test_each_may_read_data_of_its_own(self, tmp_path):
        """Rows that two workers read side by side are those of one large batch."""
        own = {"name": "text_classification", "strategy": "workers", "epochs": 3}
        jobs = {"two": {**own, "shard": "off", "accumulate": 2}}
        codes, said = distributed.finish(distributed.start_workers(jobs, tmp_path), 600)
        assert codes == [0, 0], said
        # Both were given the same data: as if each batch had been there twice.
        one = {"name": "text_classification", "epochs": 3, "accumulate": 2}
        compare(tmp_path, {"one": one})
        for worker in ("0", "1"):
            assert_alike(tmp_path, "one", "two", elsewhere=tmp_path / worker)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"accumulate": 0}, "accumulate.*0"),
        ({"shard": "files"}, "shard.*'files'"),
        ({"resume_dir": "x", "save_every": 0}, "save_every.*0"),
    ],
)
def test_options_out_of_range_are_refused(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, data, own = distributed.TASKS["forecasting"]
    with pytest.raises(ValueError, match=said):
        make().fit(data(), **own, **options)
