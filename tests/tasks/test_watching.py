"""What a run shows while it trains, and how one that goes astray ends."""

import csv
import itertools

import keras
import numpy as np
import pytest

import tasks
from tasks.distributed_values import read
from tasks.gradient_norm import watch_gradients
from tasks.watching import EpochTable, StopAtNaN, Throughput

TEXT = "to be, or not to be. " * 60


def model_of(text=TEXT, **options):
    keras.utils.set_random_seed(1)
    return tasks.LanguageModel.for_text(text, units=8, embedding_dim=4, **options)


def fit(model, epochs=2, **options):
    # Without XLA a run of so few steps is over sooner.
    how = dict(batch_size=2, chunk=20, verbose=0, jit_compile=False)
    return model.fit(TEXT, TEXT[:200], epochs=epochs, **{**how, **options})


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def events(folder):
    """Of each tag, its (step, tensor) pairs; newest file alone."""
    from zoo.lazy import tf

    found = {}
    path = max(folder.glob("events*"), key=lambda p: p.stat().st_mtime_ns)
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            entry = (event.step, tf.make_ndarray(value.tensor), value.metadata)
            found.setdefault(value.tag, []).append(entry)
    return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The folder of a watched run of two epochs, and its history."""
    folder = tmp_path_factory.mktemp("watched") / "logs"
    return folder, fit(model_of(), log_dir=folder).history


class TestLogDir:
    def test_the_table_is_that_of_the_history(self, watched):
        folder, history = watched
        found = rows(folder / "log.csv")
        assert [row["epoch"] for row in found] == ["1", "2"]
        for name in ("loss", "val_loss", "gradient_norm"):
            assert [float(row[name]) for row in found] == history[name]

    def test_the_rate_of_the_optimizer_is_in_it(self, watched):
        first, last = (float(r["learning_rate"]) for r in rows(watched[0] / "log.csv"))
        assert 0 < last < first

    def test_curves_are_those_of_the_history(self, watched):
        folder, history = watched
        curve = events(folder)["epoch/val_loss"]
        assert [step for step, _, _ in curve] == [1, 2]
        values = [float(value) for _, value, _ in curve]
        assert values == pytest.approx(history["val_loss"])

    def test_steps_count_on_over_epochs(self, watched):
        steps = [step for step, _, _ in events(watched[0])["step/gradient_norm"]]
        assert steps == sorted(set(steps)) and len(steps) == 8

    def test_samples_are_what_the_task_says(self, watched):
        said = [text for _, text, _ in events(watched[0])["sample/1"]]
        assert len(said) == 2 and all(len(t.item().decode()) > 100 for t in said)

    def test_pictures_are_pictures(self, watched):
        _, content, metadata = events(watched[0])["picture/2"][-1]
        width, height, png = content.tolist()
        assert metadata.plugin_data.plugin_name == "images"
        # Width and height stand in the first part of the file, the header.
        assert png[:4] == b"\x89PNG"
        assert int.from_bytes(png[16:20]) == int(width)
        assert int.from_bytes(png[20:24]) == int(height)

    def test_settings_are_there(self, watched):
        start = events(watched[0])["_hparams_/session_start_info"][0][2]
        assert b"learning_rate" in start.plugin_data.content
        assert b"units" in start.plugin_data.content

    def test_it_changes_nothing(self, watched):
        plain = fit(model_of()).history
        assert plain["loss"] == watched[1]["loss"]

    @pytest.mark.parametrize("error", [ImportError, ValueError])
    def test_a_result_without_a_picture_ends_no_run(self, monkeypatch, tmp_path, error):
        def plot(result):
            raise error("nothing to draw with, or nothing to draw")

        monkeypatch.setattr("tasks.surprise.Surprise.plot", plot)
        fit(model_of(), epochs=1, log_dir=tmp_path)
        found = events(tmp_path)
        assert "sample/2" in found and "picture/2" not in found

    def test_a_profile_of_some_steps_is_written(self, tmp_path):
        fit(model_of(), epochs=1, log_dir=tmp_path, profile=(2, 3))
        (found,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
        assert found.stat().st_size > 1000

    def test_a_run_that_fails_ends_its_profile(self, tmp_path):
        def fails(batch, logs):
            raise MemoryError

        broken = keras.callbacks.LambdaCallback(on_train_batch_end=fails)
        with pytest.raises(MemoryError):
            fit(model_of(), log_dir=tmp_path, profile=(1, 3), callbacks=[broken])
        fit(model_of(), epochs=1, log_dir=tmp_path / "next", profile=(1, 1))

    def test_a_profile_needs_a_folder_and_steps(self, tmp_path):
        with pytest.raises(ValueError, match="`profile` is written to `log_dir`"):
            model_of().fit(TEXT, profile=(2, 3))
        for steps in ((0, 3), (3, 2), 5, (1.5, 2)):
            with pytest.raises(ValueError, match=r"`profile` must be \(first, last\)"):
                model_of().fit(TEXT, log_dir=tmp_path, profile=steps)

    def test_patience_needs_a_score_to_wait_for(self):
        with pytest.raises(ValueError, match="`patience` waits .* `validation_data`"):
            model_of().fit(TEXT, patience=3)

    @pytest.mark.parametrize("from_the_start", [True, False])
    def test_a_run_that_goes_on_has_no_row_twice(
        self, watched, tmp_path, from_the_start
    ):
        class Enough(Exception):
            pass

        def stop(epoch, logs=None):
            if epoch == 1:
                raise Enough

        logs = {"log_dir": tmp_path / "logs"}
        with pytest.raises(Enough):
            callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
            begun = logs if from_the_start else {}
            fit(model_of(), callbacks=[callback], resume_dir=tmp_path / "s", **begun)
        history = fit(model_of(), resume_dir=tmp_path / "s", **logs).history
        assert history["loss"] == watched[1]["loss"]
        whole, again = rows(watched[0] / "log.csv"), rows(tmp_path / "logs/log.csv")
        assert again == whole[0 if from_the_start else 1 :]


class TestGradientNorm:
    @pytest.mark.parametrize("clip", [None, 0.1])
    def test_is_that_before_clipping(self, clip):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        optimizer = keras.optimizers.SGD(0.0, global_clipnorm=clip)
        model.compile(optimizer, "mse")
        norm = watch_gradients(optimizer)
        assert norm.name == "gradient_norm"
        x, y = np.array([[1.0, 2.0, 3.0]], "float32"), np.array([[10.0]], "float32")
        error = model.predict(x, verbose=0)[0, 0] - 10.0
        model.fit(x, y, verbose=0)
        # d/dw = 2 error x, d/db = 2 error.
        assert float(norm) == pytest.approx(2 * abs(error) * 15**0.5, rel=1e-5)

    def test_clipping_goes_on(self):
        norms = fit(model_of(), log_dir=None, clipnorm=1e-3).history
        assert "gradient_norm" not in norms


class Explodes(keras.callbacks.Callback):
    """Makes a weight infinite after a step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.step:
            first = self.model.trainable_variables[0]
            first.assign(keras.ops.full(first.shape, np.inf))


class TestStopAtNaN:
    def test_names_the_step(self):
        with pytest.raises(FloatingPointError, match="step 5 of epoch 1.*start of ep"):
            fit(model_of(), callbacks=[Explodes(3)])

    def test_keeps_the_last_good_weights(self):
        model = model_of()
        before = [np.array(w) for w in model.model.get_weights()]
        with pytest.raises(FloatingPointError):
            fit(model, callbacks=[Explodes(3)])
        for got, wanted in zip(model.model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, wanted)

    def test_later_weights_are_noted(self):
        model = model_of()
        before = [np.array(w) for w in model.model.get_weights()]
        with pytest.raises(FloatingPointError, match="start of epoch 2"):
            steps = itertools.count()
            explode = Explodes(-1)
            on_step = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: (
                    next(steps) == 33 and explode.on_train_batch_end(-1)
                ),
                on_train_begin=lambda logs: explode.set_model(model.training_model),
            )
            fit(model, callbacks=[on_step])
        after = model.model.get_weights()
        assert all(np.isfinite(w).all() for w in after)
        assert any((a != b).any() for a, b in zip(after, before, strict=True))

    def test_weights_that_are_not_finite_are_never_noted(self):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        stop = StopAtNaN()
        stop.set_model(model)
        stop.on_epoch_begin(0)
        wanted = model.get_weights()
        model.set_weights([np.full_like(w, np.nan) for w in wanted])
        stop.on_epoch_begin(1)
        with pytest.raises(FloatingPointError):
            stop.on_train_batch_end(0, {"loss": float("nan")})
        np.testing.assert_array_equal(model.get_weights()[0], wanted[0])


class TestThroughput:
    def test_counts_tokens_of_every_step(self, monkeypatch):
        class Data:
            sizes = {0: 10, 1: 20, 2: 30, 3: 40}

        clock = iter([0.0, 2.0, 4.0])
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))
        watch = Throughput(Data(), rows=7)
        watch.on_epoch_begin(0)
        logs = {}
        watch.on_train_batch_end(1, logs)
        assert logs == {"tokens/s": 15.0}
        watch.on_train_batch_begin(2)
        watch.on_train_batch_end(3, logs)
        assert logs == {"tokens/s": 25.0}

    def test_counts_rows_where_there_are_no_tokens(self, monkeypatch):
        clock = iter([0.0, 2.0])
        monkeypatch.setattr("time.perf_counter", lambda: next(clock))
        watch = Throughput(object(), rows=7)
        watch.on_epoch_begin(0)
        logs = {}
        watch.on_train_batch_end(0, logs)
        assert logs == {"rows/s": 3.5}

    def test_a_run_shows_it(self):
        seen = []
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(logs["tokens/s"])
        )
        fit(model_of(), epochs=1, callbacks=[callback])
        assert len(seen) > 10 and all(rate > 0 for rate in seen)


class TestMovingAverage:
    def test_is_what_is_left_in_the_end(self):
        model, weights = model_of(), []
        head = model.model.trainable_variables[-1]

        class Note(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                _ = self.model  # On JAX this brings its variables up to date.
                weights.append(read(head))

        model.fit(
            TEXT,
            epochs=1,
            batch_size=2,
            chunk=20,
            verbose=0,
            jit_compile=False,
            ema=0.8,
            callbacks=[Note()],
        )
        average = weights[0]
        for value in weights[1:]:
            average = 0.8 * average + 0.2 * value
        np.testing.assert_allclose(read(head), average, rtol=1e-4, atol=1e-6)

    def test_is_what_is_scored_and_kept(self):
        model = model_of()
        history = fit(model, epochs=2, ema=0.9).history
        score = model.evaluate(TEXT[:200], batch_size=8)["loss"]
        assert score == pytest.approx(min(history["val_loss"]), rel=1e-6)

    def test_training_goes_on_from_the_weights_themselves(self):
        plain, averaged = (fit(model_of(), ema=e).history for e in (None, 0.9))
        assert averaged["loss"] == plain["loss"]
        assert averaged["val_loss"] != plain["val_loss"]

    @pytest.mark.parametrize("ema", [0.0, 1.0, -2])
    def test_out_of_range(self, ema):
        with pytest.raises(ValueError, match="between 0 and 1"):
            fit(model_of(), ema=ema)

    def test_not_for_an_optimizer_of_ones_own(self):
        with pytest.raises(ValueError, match="use_ema"):
            fit(model_of(), ema=0.9, optimizer=keras.optimizers.SGD(0.1))


class TestEpochTable:
    def test_rows_after_the_state_are_replaced(self, tmp_path):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        for values in ([1.0, 2.0, 3.0], [5.0]):
            table = EpochTable(tmp_path / "log.csv")
            table.set_model(model)
            table.on_train_begin()
            for number, loss in enumerate(values):
                at = number if len(values) > 1 else 1
                table.on_epoch_end(at, {"loss": loss})
        found = [(r["epoch"], r["loss"]) for r in rows(tmp_path / "log.csv")]
        assert found == [("1", "1.0"), ("2", "5.0")]
