"""The recipe of the captioner, on toy pictures and a tiny net."""

import argparse

import keras
import numpy as np
import pytest

import zoo
from tasks.captioning import Captioner
from tasks.data.captions import Captioned
from tasks.data.pictures import picture_array
from tasks.pictures import convert, picture_net
from tasks.recipes import flickr8k
from tasks.recipes.drawn_pictures import drawn_pictures

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
NET = {"blocks": 1, "width": 0.5, "head": False}
TINY = dict(
    feature_options=NET,
    picture_size=16,
    layer="gru",
    units=8,
    embedding_dim=8,
    region_dim=8,
    attention_units=8,
)


def toy(count, seed):
    """Pictures of one shade each, called dark or bright."""
    shades = np.random.default_rng(seed).permutation(np.linspace(0, 250, count))
    return [
        Captioned(
            np.full((9, 9), int(shade)),
            ("it is bright", "bright") if shade > 125 else ("it is dark", "dark"),
        )
        for shade in shades
    ]


@pytest.fixture
def data():
    return {"train": toy(16, 0), "dev": toy(6, 1), "test": toy(6, 2)}


@pytest.fixture
def net(tmp_path):
    keras.utils.set_random_seed(0)
    path = tmp_path / "net.weights.h5"
    picture_net("mobilenet_v2", 16, NET).save_weights(path)
    return path


def test_the_examples_are_pictures_anyone_may_have():
    dog, boat = drawn_pictures()
    assert (dog, boat) == tuple(drawn_pictures())
    green = picture_array(dog, 96)[85:].mean((0, 1))
    assert green[1] > green[0] + 30 and green[1] > green[2] + 30
    assert len(dog) + len(boat) < 20_000


def test_the_first_variant_is_what_is_shipped():
    first = next(iter(flickr8k.VARIANTS.values()))
    assert first == flickr8k.Variant()
    assert set(flickr8k.OPTIONS) <= set(Captioner.defaults)


def test_a_bad_conversion_is_refused(tmp_path, monkeypatch):
    class Source:
        def __init__(self, path):
            self.size = 32

    monkeypatch.setattr(convert, "Source", Source)
    monkeypatch.setattr(convert, "convert", lambda path, net: None)
    monkeypatch.setattr(convert, "largest_error", lambda *_: 3.0)
    monkeypatch.setattr(
        flickr8k, "picture_net", lambda name, size: picture_net(name, size, NET)
    )
    with pytest.raises(ValueError, match="3.0 steps"):
        flickr8k.converted_net(tmp_path / "net.tflite", tmp_path)
    assert not list(tmp_path.glob("*.h5"))
    monkeypatch.setattr(convert, "largest_error", lambda *_: 0.5)
    path = flickr8k.converted_net(tmp_path / "net.tflite", tmp_path / "new")
    picture_net("mobilenet_v2", 32, NET).load_weights(path)


def test_the_baseline_says_what_the_likest_picture_is_called(data, net, tmp_path):
    task = Captioner.for_data(data["train"], picture_weights=net, **TINY)
    scores = flickr8k.nearest_picture_baseline(task, data, tmp_path)
    assert 50 < scores["bleu_1"] <= 100


class Mean:
    """Stands for a mean of weights that is better, or worse."""

    def __init__(self, task, score):
        self.task, self.score = task, score

    def apply(self):
        model = self.task.parts.reading_model
        model.set_weights([w + 1 for w in model.get_weights()])
        self.task.evaluate = lambda *_, **__: {"bleu_4": self.score}


@pytest.mark.parametrize("score, taken", [(20.0, True), (10.0, False)])
def test_the_mean_is_taken_if_it_is_better(data, net, score, taken):
    task = Captioner.for_data(data["train"], picture_weights=net, **TINY)
    before = task.parts.reading_model.get_weights()
    flickr8k.better_mean(task, Mean(task, score), data["dev"], None, 15.0)
    moved = task.parts.reading_model.get_weights()[0] - before[0]
    np.testing.assert_allclose(moved, float(taken), atol=1e-5)


@pytest.mark.slow
def test_the_whole_recipe_makes_a_preset(data, net, tmp_path, monkeypatch):
    monkeypatch.setattr(flickr8k, "OPTIONS", TINY)
    monkeypatch.setattr(flickr8k, "MIN_COUNT", 1)
    monkeypatch.setattr(flickr8k, "converted_net", lambda *_: net)
    monkeypatch.setattr(flickr8k, "read_flickr8k", lambda _, part: data[part])
    kept = ("full", "greedy", "without mirror images", "test pictures of 80 x 80")
    variants = {name: flickr8k.VARIANTS[name] for name in kept}
    monkeypatch.setattr(flickr8k, "VARIANTS", variants)
    parser = argparse.ArgumentParser()
    flickr8k.add_arguments(parser)
    given = ["--epochs", "2", "--averaged", "1", "--batch-size", "8"]
    args = parser.parse_args(given)
    args.data_dir, args.output, args.seeds = tmp_path, tmp_path / "run", [1, 2]
    flickr8k.run(args)
    folder = args.output / flickr8k.NAME
    card = zoo.card(folder)
    assert card.data["metrics"]["bleu_4"]["seeds"] == [1, 2]
    assert "greedy" in str(card) and "{" not in str(card).partition("# ")[2]
    rows = str(card).splitlines()
    full, once = (
        next(row for row in rows if row.startswith(f"| {name} |"))
        for name in ("full", "without mirror images")
    )
    assert full.split("|")[2:] != once.split("|")[2:]
    captioner = zoo.load(folder)
    assert captioner.options["mirrored"]
    examples = captioner.predict(drawn_pictures())
    assert all(result.text for result in examples)
