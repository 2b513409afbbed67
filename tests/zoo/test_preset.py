"""Writing and reading presets with real Keras models."""

import os
import stat

import h5py
import keras
import numpy as np
import pytest

import zoo
from zoo import folders
from zoo.preset import loadable, read_preset, write_preset

# Keras 3.15's variables do not know NumPy 2.4's `copy` argument.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

CARD = '---\nname: "toy"\ntask: "toy"\n---\n\n# Toy\n'
WEIGHTS = "model.weights.h5"


@loadable
class Tagger:
    """The smallest task: an embedding, an LSTM, a head."""

    @classmethod
    def from_preset(cls, preset, **overrides):
        model = build(**{**preset.options, **overrides})
        preset.load_weights(model, skip=["logits"] if overrides else ())
        return model


def build(labels=2, units=3, dtype=None):
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(7, 4, name="words")(ids)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    lstm = keras.layers.LSTM(units, return_sequences=True, name="lstm")
    x = keras.layers.Bidirectional(lstm, name="encoder")(x)
    logits = keras.layers.Dense(labels, name="logits", dtype=dtype)(x)
    return keras.Model(ids, logits)


def write(folder, model, **changes):
    arguments = {
        "cls": Tagger,
        "options": {"labels": 2, "units": 3},
        "assets": {"words.txt": "one\ntwo\n"},
        "model": model,
        "card": CARD,
        "examples": [{"input": "x", "output": [1, 2.5, None, True]}],
    }
    return write_preset(folder, **{**arguments, **changes})


def values(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def same(first, second):
    pairs = zip(values(first), values(second), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def model():
    model = build()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


@pytest.fixture
def folder(model, tmp_path):
    return write(tmp_path / "preset", model)


class TestContent:
    def test_plain_parts_come_back(self, folder):
        preset = read_preset(folder)
        assert preset.cls is Tagger
        assert preset.options == {"labels": 2, "units": 3}
        assert preset.assets == {"words.txt": "one\ntwo\n"}
        assert preset.card == CARD
        assert preset.examples == [{"input": "x", "output": [1, 2.5, None, True]}]
        assert preset.config["versions"]["keras"] == keras.__version__

    def test_only_the_named_files_are_written(self, folder):
        files = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
        assert sorted(files) == [
            "README.md",
            "SHA256SUMS",
            "assets",
            "assets/words.txt",
            "config.json",
            "examples.json",
            WEIGHTS,
        ]

    def test_assets_keep_every_character(self, model, tmp_path):
        text = "\ufeffa\r\nb\rc\x00\u2028♥\U0001f469\u200d\U0001f680\n\n"
        write(tmp_path / "p", model, assets={"a-1.b_c.txt": text, "empty.txt": ""})
        assert read_preset(tmp_path / "p").assets == {
            "a-1.b_c.txt": text,
            "empty.txt": "",
        }

    def test_no_assets_is_fine(self, model, tmp_path):
        write(tmp_path / "p", model, assets={})
        assert read_preset(tmp_path / "p").assets == {}

    def test_writing_twice_gives_the_same_bytes(self, model, folder, tmp_path):
        assert tree(write(tmp_path / "again", model)) == tree(folder)

    def test_others_may_read_as_the_umask_says(self, folder, tmp_path):
        (tmp_path / "plain").mkdir()
        mode = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
        assert stat.S_IMODE(folder.stat().st_mode) == mode

    def test_long_and_foreign_folder_names(self, model, tmp_path):
        target = tmp_path / ("é♥ " * 20) / ("x" * 200)
        write(target, model)
        assert same(zoo.load(target), model)


class TestWeights:
    def test_come_back_exactly(self, model, folder):
        assert same(zoo.load(folder), model)

    def test_keras_reads_the_file_too(self, model, folder):
        other = build()
        other.load_weights(folder / WEIGHTS)
        assert same(other, model)

    def test_half_precision_is_half_the_size(self, model, tmp_path):
        write(tmp_path / "p", model, float16=True)
        with h5py.File(tmp_path / "p" / WEIGHTS) as file:
            names = []
            file.visit(names.append)
            types = {file[n].dtype for n in names if isinstance(file[n], h5py.Dataset)}
        assert types == {np.dtype("float16")}

    def test_half_precision_rounds_once(self, model, tmp_path):
        write(tmp_path / "p", model, float16=True)
        for got, value in zip(
            values(zoo.load(tmp_path / "p")), values(model), strict=True
        ):
            assert got.dtype == np.float32
            assert np.array_equal(got, value.astype("float16").astype("float32"))

    def test_keras_reads_half_precision_into_float32(self, model, tmp_path):
        write(tmp_path / "p", model, float16=True)
        other = build()
        other.load_weights(tmp_path / "p" / WEIGHTS)
        assert {str(weight.dtype) for weight in other.weights} == {"float32"}
        assert same(other, zoo.load(tmp_path / "p"))

    def test_bfloat16_is_stored_as_float32(self, tmp_path):
        model = build(dtype="bfloat16")
        preset = read_preset(write(tmp_path / "p", model))
        other = build(dtype="bfloat16")
        preset.load_weights(other)
        assert same(other, model)

    def test_optimizer_is_not_stored(self, tmp_path):
        model = build()
        plain = (write(tmp_path / "plain", model) / WEIGHTS).stat().st_size
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        write(tmp_path / "trained", model)
        assert (tmp_path / "trained" / WEIGHTS).stat().st_size == plain
        assert same(zoo.load(tmp_path / "trained"), model)

    def test_layers_of_equal_shape_in_another_order_do_not_swap(self, tmp_path):
        def chain(names):
            x = inputs = keras.Input((3,))
            for name in names:
                x = keras.layers.Dense(3, name=name)(x)
            return keras.Model(inputs, x)

        first, second = chain(["query", "key"]), chain(["key", "query"])
        preset = read_preset(write(tmp_path / "p", first))
        preset.load_weights(second)
        kernels = {weight.path: weight for weight in second.weights}
        for weight in first.weights:
            assert np.array_equal(*map(np.asarray, (weight, kernels[weight.path])))

    def test_names_that_keras_made_up_do_not_matter(self, tmp_path):
        def chain():
            inputs = keras.Input((3,))
            x = keras.layers.Dense(3)(inputs)
            x = keras.layers.Dense(3)(x)
            return keras.Model(inputs, keras.layers.BatchNormalization()(x))

        first, second = chain(), chain()
        assert [w.path for w in first.weights] != [w.path for w in second.weights]
        read_preset(write(tmp_path / "p", first)).load_weights(second)
        assert same(first, second)

    def test_shared_layer_is_stored_once(self, tmp_path):
        inputs = keras.Input((3,))
        dense = keras.layers.Dense(3, name="dense")
        model = keras.Model(inputs, dense(dense(inputs)))
        preset = read_preset(write(tmp_path / "p", model))
        assert len(preset.config["weights"]) == 2


class TestNewHead:
    def test_encoder_is_read_and_head_is_new(self, model, folder):
        tuned = zoo.load(folder, labels=5)
        *encoder, kernel, bias = values(tuned)
        assert kernel.shape == (6, 5) and bias.shape == (5,)
        for got, expected in zip(encoder, values(model), strict=False):
            assert np.array_equal(got, expected)

    def test_skipped_variables_are_untouched_and_named(self, folder):
        other = build()
        before = values(other)[-2]
        left = read_preset(folder).load_weights(other, skip=["logits", "crf"])
        assert left == ["logits/kernel", "logits/bias"]
        assert np.array_equal(values(other)[-2], before)

    def test_skip_goes_by_whole_names(self, model, folder):
        other = build()
        assert read_preset(folder).load_weights(other, skip=["log", "kernels"]) == []
        assert same(other, model)


class TestMismatch:
    def test_first_other_shape_is_named(self, folder):
        with pytest.raises(
            zoo.PresetError, match=r"lstm_cell/kernel has shape \[4, 12"
        ):
            read_preset(folder).load_weights(build(units=5))

    def test_nothing_changes_when_the_last_weight_does_not_fit(self, folder):
        other = build(labels=9)
        before = values(other)
        with pytest.raises(zoo.PresetError, match="logits/kernel has shape"):
            read_preset(folder).load_weights(other)
        for got, expected in zip(values(other), before, strict=True):
            assert np.array_equal(got, expected)

    def test_other_kind_of_number_is_named(self, tmp_path):
        class Counter(keras.layers.Layer):
            def build(self, shape):
                self.count = self.add_weight(
                    shape=(2,), dtype=self.dtype, trainable=False, name="count"
                )

            def call(self, x):
                return x

        def counter(dtype):
            inputs = keras.Input((2,), dtype=dtype)
            return keras.Model(inputs, Counter(name="counter", dtype=dtype)(inputs))

        write(tmp_path / "p", counter("float32"))
        with pytest.raises(zoo.PresetError, match="float32 in the preset, int32 in"):
            read_preset(tmp_path / "p").load_weights(counter("int32"))

    def test_other_architecture_is_named(self, folder):
        inputs = keras.Input((3,))
        other = keras.Model(inputs, keras.layers.Dense(2, name="logits")(inputs))
        with pytest.raises(zoo.PresetError, match="only the preset has .*words"):
            read_preset(folder).load_weights(other)


class TestRefusedToWrite:
    def test_class_must_be_loadable(self, model, tmp_path):
        with pytest.raises(zoo.PresetError, match="not marked"):
            write(tmp_path / "p", model, cls=str)

    def test_loadable_class_needs_from_preset(self):
        with pytest.raises(TypeError, match="from_preset"):
            loadable(type("Empty", (), {}))

    @pytest.mark.parametrize(
        "options",
        [
            {"units": np.float32(1)},
            {"units": {1, 2}},
            {"units": float("nan")},
            {"units": {1: 2}},
            {"units": b"3"},
            {"Units": 3},
            {"path": "/etc/passwd"},
            {"units": 10**12},
        ],
    )
    def test_options_must_be_plain(self, options, model, tmp_path):
        with pytest.raises(zoo.PresetError):
            write(tmp_path / "p", model, options=options)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "name", ["../x.txt", "a/b.txt", "X.txt", "x", "x.py", ".x.txt", "", "a\n.txt"]
    )
    def test_asset_names_are_flat_text_files(self, name, model, tmp_path):
        with pytest.raises(zoo.PresetError, match="cannot be an asset"):
            write(tmp_path / "p", model, assets={name: "x"})

    def test_lone_surrogates_are_named(self, model, tmp_path):
        with pytest.raises(zoo.PresetError, match=r"words\.txt is not UTF-8"):
            write(tmp_path / "p", model, assets={"words.txt": "\ud800"})

    def test_nan_weights_are_named(self, tmp_path):
        broken = build()
        broken.weights[-1].assign([np.nan, 0])
        with pytest.raises(zoo.PresetError, match="logits/bias is not finite"):
            write(tmp_path / "p", broken)
        assert list(tmp_path.iterdir()) == []

    def test_weights_beyond_half_precision_are_named(self, tmp_path):
        broken = build()
        broken.weights[-1].assign([1e6, 0])
        with pytest.raises(zoo.PresetError, match="not finite in float16"):
            write(tmp_path / "p", broken, float16=True)

    def test_a_card_must_be_readable(self, model, tmp_path):
        with pytest.raises(zoo.PresetError, match="line 2 of the card"):
            write(tmp_path / "p", model, card="---\ntask: [unclosed\nx\n---\n")


class TestFolder:
    def test_empty_folder_is_filled(self, model, tmp_path):
        (tmp_path / "p").mkdir()
        assert read_preset(write(tmp_path / "p", model))

    def test_preset_is_replaced(self, model, folder, tmp_path):
        write(folder, model, assets={"other.txt": "x"})
        assert read_preset(folder).assets == {"other.txt": "x"}
        assert [path.name for path in tmp_path.iterdir()] == ["preset"]

    @pytest.mark.parametrize("name", ["notes.txt", "README.md"])
    def test_other_files_are_never_replaced(self, name, model, tmp_path):
        target = tmp_path / "p"
        target.mkdir()
        (target / name).write_text("mine")
        with pytest.raises(zoo.PresetError):
            write(target, model)
        assert tree(target) == {name: b"mine"}

    def test_notes_beside_a_preset_are_never_lost(self, model, folder):
        (folder / "notes.md").write_text("mine")
        with pytest.raises(zoo.PresetError, match=r"notes\.md"):
            write(folder, model)
        assert (folder / "notes.md").read_text() == "mine"

    def test_file_is_no_folder(self, model, tmp_path):
        (tmp_path / "p").write_text("mine")
        with pytest.raises(zoo.PresetError, match="is a file"):
            write(tmp_path / "p", model)

    def test_link_to_a_folder_is_written_through(self, model, folder, tmp_path):
        (tmp_path / "link").symlink_to(folder)
        write(tmp_path / "link", model, examples=[])
        assert (tmp_path / "link").is_symlink()
        assert read_preset(folder).examples == []

    def test_failure_leaves_the_old_preset(self, folder, tmp_path):
        before = tree(folder)
        broken = build()
        broken.weights[0].assign(np.full((7, 4), np.inf))
        with pytest.raises(zoo.PresetError):
            write(folder, broken)
        assert tree(folder) == before
        assert [path.name for path in tmp_path.iterdir()] == ["preset"]

    def test_failed_swap_brings_the_old_preset_back(
        self, model, folder, tmp_path, monkeypatch
    ):
        before = tree(folder)
        rename = type(folder).rename

        def failing(path, target):
            if path.name.endswith(".new"):
                raise OSError(28, "No space left on device")
            return rename(path, target)

        monkeypatch.setattr(type(folder), "rename", failing)
        with pytest.raises(zoo.PresetError, match="No space left"):
            write(folder, model, examples=[])
        assert tree(folder) == before
        assert [path.name for path in tmp_path.iterdir()] == ["preset"]

    def test_interrupted_swap_says_where_the_old_preset_is(self, folder):
        folder.rename(folders.previous(folder))
        with pytest.raises(zoo.PresetError, match=r"\.preset\.previous"):
            read_preset(folder)

    def test_what_a_killed_save_left_is_swept_up(self, model, folder, tmp_path):
        old, new = tmp_path / ".preset.aa.new", tmp_path / ".preset.bb.new"
        for path in (old, new):
            path.mkdir()
        os.utime(old, (0, 0))
        write(folder, model)
        assert not old.exists() and new.exists()

    def test_disk_full_while_writing(self, model, tmp_path, monkeypatch):
        def full(path, data):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(type(tmp_path), "write_bytes", full)
        with pytest.raises(zoo.PresetError, match="No space left"):
            write(tmp_path / "p", model)
        assert list(tmp_path.iterdir()) == []
