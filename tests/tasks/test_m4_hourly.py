"""The recipe of the hourly forecaster, on few and made-up series."""

import argparse
import json

import numpy as np
import pytest

import zoo
from tasks.data.series import SeriesSet
from tasks.forecast import naive
from tasks.metrics import forecasts as metrics
from tasks.recipes import m4_hourly
from tasks.recipes.m4_hourly import Data, owa_weights, read_data, scores_of


def made_up(count=6, length=480):
    """Days with a shape of their own, of very different levels."""
    random = np.random.default_rng(0)
    hours = np.arange(length + 48)
    series = []
    for i in range(count):
        day = np.sin(2 * np.pi * (hours + 3 * i) / 24)
        noise = random.normal(0, 0.05, len(hours))
        series.append(10.0 ** (i - 1) * (3 + day + noise))
    train = [values[:length] for values in series]
    return Data(train, np.array([values[length:] for values in series]))


def write_files(folder):
    """The data as the files have them."""
    data = made_up(3)
    (folder / "m4").mkdir()
    for name, rows in (("train", data.train), ("test", data.truth)):
        head = ",".join(f"V{i}" for i in range(1, len(rows[0]) + 2))
        lines = [f"H{i}," + ",".join(map(str, row)) for i, row in enumerate(rows)]
        path = folder / "m4" / f"Hourly-{name}.csv"
        path.write_text("\n".join([head, *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("m4"))


@pytest.fixture(scope="module")
def output(files):
    """The folder of one short run."""
    m4_hourly.run(arguments(files))
    return files


def arguments(files, **others):
    parser = argparse.ArgumentParser()
    m4_hourly.add_arguments(parser)
    args = parser.parse_args([])
    args.data_dir, args.output, args.seeds = files, files / "run", [1, 2]
    args.variants, args.ablation_seeds = ["full"], []
    args.epochs, args.averaged_epochs = 2, 1
    args.windows_per_epoch, args.batch_size = 64, 32
    for name, value in others.items():
        setattr(args, name, value)
    return args


def test_development_never_sees_the_test_data(files):
    data = read_data(files, development=True)
    final = read_data(files, development=False)
    for held, train, whole in zip(data.truth, data.train, final.train, strict=True):
        assert (np.concatenate([train, held]) == whole).all()
    assert final.truth.shape == (3, 48)


def test_weights_make_absolute_errors_the_owa():
    data = made_up()
    weights = owa_weights(data.train)
    past = [values[:-48] for values in data.train]
    last = np.array([values[-48:] for values in data.train])
    yardstick = naive.naive2(past, 48, 24)
    # Small errors of one size on every scale.
    change = 1e-3 * np.array([v.mean() for v in data.train])[:, None]
    signs = np.where(np.arange(48) % 2, 1, -1)
    said = last + change * signs
    expected = metrics.owa(last, said, yardstick, past, 24)
    found = (weights[:, None] * np.abs(said - last)).mean()
    assert found == pytest.approx(expected, rel=0.05)


def test_scores_are_those_of_the_competition():
    data = made_up()
    said = naive.naive2(data.train, 48, 24)
    scores = scores_of(data, said)
    assert scores["owa"] == pytest.approx(1)
    assert set(scores) == {"owa", "smape", "mase"}
    levels = {q / 10: said[..., None] for q in range(1, 10)}
    assert set(scores_of(data, said, levels)) == set(m4_hourly.SCORES)


def test_the_example_is_made_up_and_long_enough():
    assert len(m4_hourly.example()) >= m4_hourly.OPTIONS["context_length"]


@pytest.mark.slow
class TestRun:
    """One short run, and what it leaves."""

    def results(self, output):
        return json.loads((output / "run" / "runs" / "results.json").read_text())

    def test_naive_methods_stand_beside(self, output):
        results = self.results(output)
        assert results["naive2/0"]["owa"] == pytest.approx(1)
        assert "seasonal_naive/0" in results

    def test_seeds_and_their_ensemble_are_scored(self, output):
        results = self.results(output)
        assert {"full/1", "full/2", "full, ensemble of seeds 1, 2/0"} <= set(results)
        assert results["full/1"]["owa"] != results["full/2"]["owa"]

    def test_the_preset_repeats_its_score(self, output):
        forecaster = zoo.load(output / "run" / m4_hourly.NAME)
        data = read_data(output, development=False)
        found = m4_hourly.evaluate(data, forecaster)["owa"]
        expected = self.results(output)["full/1"]["owa"]
        assert found == pytest.approx(expected, rel=0.01)  # in half precision

    def test_the_preset_goes_with_the_units(self, output):
        forecaster = zoo.load(output / "run" / m4_hourly.NAME)
        values = np.array(m4_hourly.example())
        one = forecaster.predict(SeriesSet.from_any([values])).median
        other = forecaster.predict(SeriesSet.from_any([values * 1e4])).median
        np.testing.assert_allclose(other, one * 1e4, rtol=1e-3)

    def test_the_card_has_the_scores(self, output):
        folder = output / "run" / m4_hourly.NAME
        card = zoo.card(folder)
        assert card.data["metrics"]["owa"]["seeds"] == [1, 2]
        assert card.data["baseline"]["owa"] > 0
        assert "{" not in (folder / "README.md").read_text().partition("# Hourly")[2]

    def test_no_value_of_the_data_is_shipped(self, output):
        examples = (output / "run" / m4_hourly.NAME / "examples.json").read_text()
        assert json.loads(examples)[0]["history"] == m4_hourly.example()

    def test_what_is_done_is_not_done_again(self, output, monkeypatch):
        monkeypatch.setattr(m4_hourly, "train_one", lambda *_, **__: 1 / 0)
        m4_hourly.run(arguments(output))
