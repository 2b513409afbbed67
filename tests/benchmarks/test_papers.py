"""Data of the papers' experiments, and how their runs are kept."""

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests import backend

PAPERS = Path(__file__).parents[2] / "benchmarks" / "papers"


@pytest.fixture(autouse=True)
def find_scripts(monkeypatch):
    """Scripts import what stands beside them, as Python lets them when they run."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(PAPERS))
    yield
    for name in set(sys.modules) - before:
        if (PAPERS / f"{name}.py").exists():
            del sys.modules[name]


def random():
    return np.random.default_rng(0)


class TestAdding:
    def test_targets_are_the_sums_of_marked_numbers(self):
        inputs, targets = import_module("adding").sequences(random(), 50, 9)
        assert inputs.shape == (50, 9, 2)
        for (numbers, marks), target in zip(
            np.swapaxes(inputs, 1, 2), targets, strict=True
        ):
            assert sorted(marks) == [0] * 7 + [1, 1]
            assert marks[:4].sum() == 1
            np.testing.assert_allclose(target, [numbers[marks == 1].sum()])

    def test_baseline(self):
        adding = import_module("adding")
        _, targets = adding.sequences(random(), 100_000, 4)
        assert np.mean((targets - 1) ** 2) == pytest.approx(adding.BASELINE, abs=0.003)

    def test_too_short(self):
        with pytest.raises(ValueError, match="two steps"):
            import_module("adding").sequences(random(), 1, 1)


class TestCopyMemory:
    def test_symbols_come_back_after_the_mark(self):
        copy = import_module("copy_memory")
        inputs, targets = copy.sequences(random(), 20, 30)
        tokens = inputs.argmax(-1)
        assert tokens.shape == targets.shape == (20, 50)
        np.testing.assert_array_equal(inputs.sum(-1), 1)
        np.testing.assert_array_equal(tokens[:, :10], targets[:, -10:])
        assert set(tokens[:, :10].ravel()) == set(range(1, 9))
        assert (targets[:, :-10] == copy.BLANK).all()
        # The mark is the last of the T blanks: ten more steps give the answer.
        assert (np.argwhere(tokens == copy.MARK)[:, 1] == 39).all()
        assert (tokens[:, 10:39] == copy.BLANK).all()
        assert (tokens[:, 40:] == copy.BLANK).all()

    def test_guessing(self):
        assert import_module("copy_memory").guessing(500) == pytest.approx(0.04, 1e-2)

    @pytest.mark.parametrize("variant", ["linear RNN", "linear RNN, recurrence fixed"])
    def test_a_fixed_recurrence_stays_as_it_began(self, variant):
        copy = import_module("copy_memory")
        model = copy.build(variant, 5, 0.1)
        kernel = model.layers[1].recurrent_kernel
        before = backend.numbers(kernel)[0]
        np.testing.assert_allclose(before @ before.T, np.eye(copy.UNITS), atol=1e-5)
        model.train_on_batch(*copy.sequences(random(), copy.BATCH, 5))
        fixed = np.array_equal(backend.numbers(kernel)[0], before)
        assert fixed == (variant == copy.FIXED)

    def test_log_softmax(self):
        logits = np.array([[1000.0, 1000.0], [0.0, np.log(3)]])
        found = np.exp(import_module("copy_memory").log_softmax(logits))
        np.testing.assert_allclose(found, [[0.5, 0.5], [0.25, 0.75]])


class TestPermutedDigits:
    @pytest.fixture(autouse=True)
    def need_scikit_learn(self):
        pytest.importorskip("sklearn")

    def test_parts_share_no_image(self):
        parts = import_module("permuted_digits").digits(1)
        sizes = {name: len(x) for name, (x, _) in parts.items()}
        assert sizes == {"train": 1078, "validation": 359, "test": 360}
        images = [{x.tobytes() for x in inputs} for inputs, _ in parts.values()]
        everything = set().union(*images)
        assert len(everything) == sum(len(part) for part in images)

    def test_one_order_of_pixels_for_all(self):
        from sklearn.datasets import load_digits

        script = import_module("permuted_digits")
        original = {np.sort(x).tobytes(): x for x in load_digits().data}
        first, second = script.digits(1)["train"][0][:2, :, 0] * 16
        order = np.random.default_rng(1).permutation(64)
        for pixels in (first, second):
            found = original[np.sort(pixels.astype("float64")).tobytes()]
            np.testing.assert_allclose(found[order], pixels)
        assert not np.array_equal(script.digits(2)["train"][0][0, :, 0] * 16, first)


class TestText:
    def test_from_files_to_numbers(self, tmp_path):
        text = import_module("text")
        (tmp_path / "train.tsv").write_text("a good good film\t1\na bad film\t0\n")
        for name in ("dev", "test"):
            (tmp_path / f"{name}.tsv").write_text("a new film\t1\n")
        parts = text.read(tmp_path)
        numbers = text.vocabulary(parts["train"])
        assert sorted(numbers) == ["a", "film", "good"]
        assert sorted(numbers.values()) == [2, 3, 4]
        ids, labels = text.encode(parts["train"], numbers, 3)
        good = numbers["good"]
        np.testing.assert_array_equal(ids[0], [numbers["a"], good, good])
        np.testing.assert_array_equal(
            text.encode(parts["test"], numbers, 4)[0],
            [[numbers["a"], text.UNKNOWN, numbers["film"], text.PADDING]],
        )
        np.testing.assert_array_equal(labels, [1, 0])


class Arguments:
    """What a script's parser returns."""

    quick = plot_only = False

    def __init__(self, out):
        self.out = out


class TestRuns:
    def runs(self, folder):
        return import_module("experiment").Runs("name", "what it is", Arguments(folder))

    def test_what_was_run_is_not_run_again(self, tmp_path):
        calls = []

        def function(seed):
            calls.append(seed)
            return {"score": np.float32(seed / 4), "curve": [1, 2]}

        for _ in range(2):
            runs = self.runs(tmp_path)  # as after a fresh start
            for seed in (1, 2):
                run = runs.run("LSTM", seed, {"steps": 3}, function)
                assert run["result"] == {"score": seed / 4, "curve": [1, 2]}
        assert calls == [1, 2]
        runs.run("LSTM", 1, {"steps": 4}, function)
        runs.run("GRU", 1, {"steps": 3}, function)
        assert calls == [1, 2, 1, 1]

    def test_the_file_has_each_seed_and_the_spread(self, tmp_path):
        runs = self.runs(tmp_path)
        for seed in (1, 2, 3):
            runs.run("LSTM", seed, {"steps": 3}, lambda seed: {"score": seed})
        content = json.loads((tmp_path / "name.json").read_text())
        (group,) = content["summary"]
        wanted = {"mean": 2.0, "std": 1.0, "values": [1, 2, 3]}
        assert group["scores"]["score"] == wanted
        assert content["runs"][0]["machine"]["cores"] >= 1

    def test_the_file_says_what_is_missing(self, tmp_path):
        runs = self.runs(tmp_path)
        for seed in (1, 2, 3):
            runs.run("LSTM", seed, {"length": 5 if seed > 1 else 4}, lambda seed: {})
        for length in (4, 5):
            runs.want("LSTM", 2, length=length)
        runs.want("GRU")
        runs.write()
        missing = json.loads((tmp_path / "name.json").read_text())["not_run"]
        assert missing == [
            {"what": "LSTM, length 4", "seeds": "1 of 2"},
            {"what": "GRU", "seeds": "0 of 3"},
        ]

    def test_a_failing_run_leaves_the_others(self, tmp_path):
        runs = self.runs(tmp_path)
        runs.run("LSTM", 1, {}, lambda seed: {"score": 1})

        def fails(seed):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            runs.run("LSTM", 2, {}, fails)
        assert [run["seed"] for run in self.runs(tmp_path).runs] == [1]

    def test_drawing_runs_nothing(self, tmp_path):
        runs = self.runs(tmp_path)
        runs.plot_only = True
        assert runs.run("LSTM", 1, {}, lambda seed: 1 / 0) is None

    def test_no_path_of_a_machine_is_kept(self, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["/a/b/text.py", "--data-dir", "/home/me/x"])
        command = import_module("experiment").command()
        assert command == "python benchmarks/papers/text.py --data-dir DIR"


class TestReport:
    def page(self, folder, **more):
        scores = {
            "mse": {"mean": 0.0123, "std": 0.001, "values": [0.0113, 0.0133]},
            "solved": {"mean": 0.5, "std": 0.7, "values": [True, False]},
        }
        groups = [
            {
                "variant": "LSTM",
                "settings": {"length": length, "units": 128},
                "seeds": [1, 2],
                "cpu_seconds": [10.0, 20.0],
                "scores": scores,
            }
            for length in (50, 60)
        ]
        content = {
            "about": "What it is.",
            "command": "python it.py",
            "summary": groups,
            "not_run": [],
            "runs": [{"machine": {"processor": "fast", "cores": 1}}],
        }
        (folder / "it.json").write_text(json.dumps({**content, **more}))
        return import_module("report").page(folder)

    def test_rows(self, tmp_path):
        lines = self.page(tmp_path).splitlines()
        assert "| variant | length | mse | solved | seeds | CPU s per run |" in lines, (
            "what is the same in all rows says nothing"
        )
        assert "| LSTM | 60 | 0.0123 ± 0.001 | 1 of 2 | 2 | 15 |" in lines

    def test_what_was_not_run_is_told(self, tmp_path):
        gaps = [{"what": "GRU, length 9", "seeds": "1 of 3"}]
        text = self.page(tmp_path, not_run=gaps)
        assert "Not run in full: GRU, length 9 (1 of 3 seeds)." in text


def test_a_training_ends_when_it_is_good_enough():
    class Model:
        steps = 0

        def train_on_batch(self, x, y):
            self.steps += 1

    def look(model):
        return {"loss": 1 / model.steps}, model.steps >= 20

    train = import_module("training").train
    found = train(Model(), lambda: (0, 0), 100, 10, look)
    assert (found["steps"], found["stopped"], found["loss"]) == (20, "solved", 1 / 20)
    assert found["curve_steps"] == [10, 20]
    found = train(Model(), lambda: (0, 0), 15, 10, look)
    assert (found["steps"], found["stopped"]) == (15, "steps")
    assert found["curve_loss"] == [1 / 10, 1 / 15]
