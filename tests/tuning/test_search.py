"""Whole searches, with a task that trains in a moment."""

import csv
import json
import math
import os
import shutil
import stat

import pytest

import tuning
import zoo
from tests.tuning.toy import HELD_OUT, TRAIN, TROUBLES, Curve
from tuning.errors import SearchError
from tuning.plan import is_tpu
from tuning.records import Record
from tuning.result import winner_of

# With so little to do, compiling would take all the time.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the:UserWarning")
QUICK = {"epochs": 1, "units": [2, 4], "batch_size": 12}


def search(directory, trials=3, **options):
    overrides = {**QUICK, **options.pop("overrides", {})}
    settings = dict(algorithm="random", reruns=0, verbose=0, overrides=overrides)
    return tuning.search(
        Curve,
        TRAIN,
        HELD_OUT,
        trials=trials,
        directory=directory,
        **{**settings, **options},
    )


def files(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module", autouse=True)
def eagerly():
    from zoo.lazy import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    # `whole`, made before this, has them: that is enough.
    monkeypatch.setattr("tuning.report._picture", lambda *_: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search with everything."""
    folder = tmp_path_factory.mktemp("searches") / "whole"
    return search(folder, trials=4, keep=2, reruns=2, overrides={"epochs": 2})


class TestWhole:
    def test_the_best_scores_as_the_table_says(self, whole):
        runs = [*whole.trials.records, *whole.reruns.records]
        own = [r for r in runs if r.name.split("-")[0] == whole.winner]
        best = min(own, key=lambda record: record.score)
        assert whole.best.evaluate(HELD_OUT)["error"] == pytest.approx(
            best.score, rel=1e-5
        )

    def test_the_winner_is_the_best_mean_over_fresh_seeds(self, whole):
        means = {}
        for record in whole.reruns.records:
            means.setdefault(record.name.split("-")[0], []).append(record.score)
        assert {len(scores) for scores in means.values()} == {2}
        assert set(means) == {r.name for r in whole.trials.records[:2]}
        means = {name: sum(scores) / 2 for name, scores in means.items()}
        assert whole.winner == min(means, key=means.get)
        assert whole.score == pytest.approx(means[whole.winner])

    def test_fresh_seeds_are_fresh(self, whole):
        assert {r.seed for r in whole.trials.records} == {0}
        assert {r.seed for r in whole.reruns.records} == {1, 2}
        scores = [r.score for r in whole.reruns.records]
        assert len(set(scores)) == len(scores)

    def test_the_table_has_every_trial_best_first(self, whole):
        scores = [row["error"] for row in whole.trials]
        assert len(scores) == 4 and scores == sorted(scores)
        assert whole.trials[0]["epochs_done"] == 2
        assert "units" in str(whole) and whole.winner in str(whole)

    def test_trials_csv_can_be_read(self, whole):
        with open(whole.directory / "trials.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 4 + 4
        assert float(rows[0]["error"]) > 0
        assert {row["activation"] for row in rows} <= {"tanh", "relu"}

    def test_learning_curves_are_kept(self, whole):
        curve = whole.trials.records[0].curve
        assert len(curve["val_error"]) == len(curve["loss"]) == 2
        assert min(curve["val_error"]) == pytest.approx(whole.trials.records[0].score)

    def test_only_the_best_models_stay(self, whole):
        models = {p.parent.name for p in whole.directory.glob("trials/*/model")}
        assert models == {record.name for record in whole.trials.records[:2]}
        assert len(list(whole.directory.glob("reruns/*/model"))) <= 1
        assert not list(whole.directory.rglob("state"))
        assert not list(whole.directory.rglob("*.partial"))

    def test_the_card_tells_of_the_search(self, whole, tmp_path):
        whole.save(tmp_path / "mine")
        facts = zoo.card(tmp_path / "mine").data
        assert facts["trials"] == 4 and facts["failed_trials"] == 0
        assert facts["further_runs"] == 4
        assert facts["search_space"]["units"] == {"choices": [2, 4]}
        assert facts["settings"] == whole.values
        assert facts["search_seconds"] >= 0
        assert "chose the settings" in str(zoo.card(tmp_path / "mine"))

    def test_the_report_stands_alone(self, whole):
        page = (whole.directory / "report.html").read_text("utf-8")
        assert page.count("<tr") > 8
        assert "data:image/png;base64," in page
        assert "http" not in page
        assert (whole.directory / "report.png").read_bytes()[:4] == b"\x89PNG"

    def test_tensorboard_reads_the_trials(self, whole):
        from google.protobuf.struct_pb2 import Struct

        from zoo.lazy import tf

        best = whole.trials.records[0]
        (path,) = (whole.directory / "tensorboard" / best.name).iterdir()
        found = {}
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(value)
        start = found["_hparams_/session_start_info"][0].metadata.plugin_data
        assert start.plugin_name == "hparams"
        # Field 3, its length, and then a map as that of a Struct.
        assert start.content[0] == 3 << 3 | 2
        settings = Struct.FromString(start.content[2:])
        assert settings["units"] == best.values["units"]
        assert settings["activation"] == best.values["activation"]
        end = found["_hparams_/session_end_info"][0].metadata.plugin_data.content
        assert end == bytes([4 << 3 | 2, 2, 1 << 3, 1])
        assert len(found["epoch/val_error"]) == 2
        score = tf.make_ndarray(found["error"][0].tensor)
        assert float(score) == pytest.approx(best.score)

    def test_the_same_call_trains_nothing(self, whole, monkeypatch):
        monkeypatch.setattr("tuning.trial.Runner._try", None)
        again = search(
            whole.directory, trials=4, keep=2, reruns=2, overrides={"epochs": 2}
        )
        assert again.trials.records == whole.trials.records
        assert again.score == whole.score

    def test_another_search_does_not_mix_in(self, whole):
        with pytest.raises(SearchError, match="another search: its seed is 0, not 7"):
            search(whole.directory, seed=7, overrides={"epochs": 2})
        with pytest.raises(SearchError, match="space differs in 'units'"):
            search(whole.directory, overrides={"epochs": 2, "units": [2, 8]})

    def test_the_hand_set_defaults_are_not_the_search_s_to_change(self, whole):
        assert Curve.defaults["units"] == 4
        assert whole.values["epochs"] == 2


class TestInterrupted:
    def test_ctrl_c_and_on(self, tmp_path, monkeypatch):
        expected = search(tmp_path / "whole", trials=2)
        calls, evaluate = [], Curve.evaluate

        def interrupted(self, data):
            calls.append(len(data))
            if len(calls) == 3:
                raise KeyboardInterrupt
            return evaluate(self, data)

        monkeypatch.setattr(Curve, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "cut", trials=2)
        done = json.loads((tmp_path / "cut/trials/0/record.json").read_text())
        assert done["status"] == "done"
        result = search(tmp_path / "cut", trials=2)
        assert [r.values for r in result.trials.records] == [
            r.values for r in expected.trials.records
        ]
        assert [r.score for r in result.trials.records] == pytest.approx(
            [r.score for r in expected.trials.records], rel=1e-5
        )
        # The data to validate on are all that is ever scored.
        assert set(calls) == {len(HELD_OUT)}

    def test_more_trials_go_on(self, tmp_path):
        first = search(tmp_path / "s", trials=1)
        more = search(tmp_path / "s", trials=2)
        assert len(first.trials) == 1 and len(more.trials) == 2
        assert first.trials.records[0] in more.trials.records

    def test_time_is_up(self, tmp_path):
        with pytest.raises(SearchError, match="time was up"):
            search(tmp_path / "s", max_time=1e-9)

    def test_a_trial_that_kills_again_and_again_is_given_up(self, tmp_path):
        search(tmp_path / "s", trials=1)
        record = Record("1", values={"units": 2}, starts=5)
        folder = tuning.folder.SearchFolder(tmp_path / "s")
        folder.trials.write(record)
        result = search(tmp_path / "s", trials=2)
        failed = result.trials.records[-1]
        assert failed.status == "failed" and "died 5 times" in failed.error


class TestFailures:
    def test_failing_trials_are_told_and_the_search_goes_on(self, tmp_path):
        result = search(
            tmp_path / "s",
            trials=4,
            algorithm="grid",
            overrides={
                "trouble": TROUBLES,
                "units": 2,
                "activation": "relu",
                "learning_rate": 0.01,
            },
        )
        errors = {r.values["trouble"]: r.error for r in result.trials.records}
        assert errors["none"] is None
        assert "loss became nan" in errors["not a number"]
        assert errors["memory"] == "MemoryError: no room for the network"
        assert errors["shape"] and "\n" not in errors["shape"]
        assert result.values["trouble"] == "none"
        record = next(r for r in result.trials.records if r.error)
        assert "Traceback" in record.trace
        assert zoo.card(result.directory / "best").data["failed_trials"] == 3
        assert "failed" in (result.directory / "report.html").read_text("utf-8")

    def test_nothing_but_failures_stops_with_the_cause(self, tmp_path):
        with pytest.raises(
            SearchError, match="All 2 trials have failed.*no room for the network"
        ) as caught:
            search(tmp_path / "s", trials=2, overrides={"trouble": ["memory", "shape"]})
        assert "\n" not in str(caught.value)

    def test_a_failed_trial_never_wins(self):
        done = [Record("0", "done", score=1.0), Record("1", "done", score=2.0)]
        again = [Record("0-1", "failed"), Record("1-1", "done", score=2.5)]
        objective = tuning.objectives.Objective("error", "min")
        winner, mean, spread, _ = winner_of(done, again, objective, 2)
        assert (winner.name, mean) == ("1", 2.5)
        assert math.isnan(spread)


BAD = [
    ({"trials": 0}, "`trials` must be a whole number from 1 up. Received: 0"),
    ({"trials": 2.5}, "`trials` must be"),
    ({"trials": None}, "needs `max_time`, or algorithm='grid'"),
    ({"keep": 0}, "`keep`"),
    ({"reruns": -1}, "`reruns`"),
    ({"workers": 0}, "`workers`"),
    ({"trials_per_process": 0}, "`trials_per_process` must be .* from 1 up"),
    ({"max_time": 0}, "`max_time` must be above 0"),
    ({"algorithm": "bayes"}, "Unknown algorithm 'bayes'. Did you mean 'bayesian'"),
    ({"objective": "eror"}, "Unknown objective 'eror'. Did you mean 'error'"),
    ({"overrides": {"unit": 3}}, "nothing named 'unit' .*mean 'units'"),
    ({"overrides": {"seed": 3}}, "nothing named 'seed'"),
    (
        {"overrides": {"units": 2, "activation": "tanh", "learning_rate": 0.1}},
        "search space is empty",
    ),
    ({"algorithm": "hyperband", "overrides": {"epochs": (1, 3)}}, "Hyperband decides"),
    ({"overrides": {"trouble": "shape"}}, "No Curve can be made"),
]


class TestBadInput:
    @pytest.mark.parametrize(("options", "message"), BAD)
    def test_is_refused_in_one_line_and_leaves_nothing(
        self, tmp_path, options, message
    ):
        with pytest.raises(SearchError, match=message) as caught:
            search(tmp_path / "s", **options)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "s" / "oracle.json").exists()

    def test_unknown_tasks(self):
        with pytest.raises(SearchError, match="folder 'nerr'. Did you mean 'ner'"):
            tuning.search("nerr", TRAIN, HELD_OUT, trials=1)
        with pytest.raises(SearchError, match="must be the name of a task"):
            tuning.search(3, TRAIN, HELD_OUT, trials=1)

    def test_data_that_cannot_be_meant(self, tmp_path):
        options = dict(trials=1, directory=tmp_path / "s", verbose=0)
        with pytest.raises(SearchError, match="is the training data"):
            tuning.search(Curve, TRAIN, TRAIN, **options)
        with pytest.raises(SearchError, match=r"`train` .* only once.*list\(train\)"):
            tuning.search(Curve, iter(TRAIN), HELD_OUT, **options)
        with pytest.raises(SearchError, match="no file"):
            tuning.search(Curve, tmp_path / "gone", HELD_OUT, **options)
        with pytest.raises(SearchError, match="`validation` is None"):
            tuning.search(Curve, TRAIN, None, **options)

    def test_a_folder_with_other_files(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("done")
        with pytest.raises(SearchError, match="holds other files"):
            search(tmp_path)
        assert files(tmp_path) == {"thesis.txt"}

    def test_a_folder_that_cannot_be_written_to(self, tmp_path, monkeypatch):
        folder = tmp_path / "s"
        folder.mkdir()
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        if os.access(folder, os.W_OK):
            # The superuser may write anywhere: the disk must say no.
            def refuse(self, data):
                raise OSError(30, "Read-only file system")

            monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
        with pytest.raises(SearchError, match="cannot be written to: "):
            search(folder)

    def test_a_file_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "s").write_text("")
        with pytest.raises(SearchError, match="cannot be made"):
            search(tmp_path / "s")


def test_fine_tuning_a_loaded_model(tmp_path):
    base = search(tmp_path / "base", trials=1)
    options = dict(verbose=0, reruns=0, algorithm="random")
    result = tuning.search(
        base.best,
        TRAIN,
        HELD_OUT,
        trials=2,
        directory=tmp_path / "tuned",
        overrides={"epochs": 1, "batch_size": 12},
        **options,
    )
    # Its shapes are those of the model, and it begins where the model was.
    assert set(result.space) == {"learning_rate", "epochs", "batch_size"}
    assert result.best.options["units"] == base.best.options["units"]
    assert result.score <= base.trials.records[0].score * 1.5


@pytest.mark.slow
def test_hyperband_trains_the_best_longer(tmp_path):
    result = search(
        tmp_path / "s", trials=7, algorithm="hyperband", overrides={"epochs": 3}
    )
    epochs = [record.epochs for record in result.trials.records]
    assert set(epochs) == {1, 3}
    assert all(r.values["epochs"] == r.epochs for r in result.trials.records)


def test_without_a_folder_the_same_call_finds_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = search(None, trials=1), search(None, trials=1)
    assert first.directory == second.directory
    assert first.directory.parts[0] == "searches"
    other = search(None, trials=1, seed=1)
    assert other.directory != first.directory


@pytest.mark.parametrize("ours", [True, False])
def test_a_strategy_s_scope_is_where_models_are_made(ours, tmp_path):
    import tasks
    from zoo.lazy import tf

    found = tasks.strategy("cpu", verbose=False)
    strategy = found.distribute
    seen = []
    make = Curve.for_data.__func__

    def spy(cls, data, **options):
        seen.append(tf.distribute.get_strategy() is strategy)
        return make(cls, data, **options)

    Curve.for_data = classmethod(spy)
    try:
        chosen = found if ours else strategy
        result = search(tmp_path / "s", trials=1, strategy=chosen)
    finally:
        Curve.for_data = classmethod(make)
    assert seen[-1] and len(result.trials) == 1


@pytest.mark.parametrize("kind, tpu", [("tpu", True), ("gpus", False), (None, False)])
def test_a_tpu_is_known_by_its_kind(kind, tpu):
    from tasks.strategies import Strategy

    assert is_tpu(kind and Strategy(kind, None, ["a"])) is tpu


def test_a_torn_folder_of_a_model_is_made_anew(tmp_path):
    search(tmp_path / "s", trials=1)
    shutil.rmtree(tmp_path / "s" / "best")
    assert search(tmp_path / "s", trials=1).best.options["units"] in (2, 4)
