"""Recipes of language models and classifiers, run on toys; and their baseline."""

import argparse
import gzip
import math
from collections import Counter

import numpy as np
import pytest

import zoo
from tasks.recipes import (
    film_reviews,
    imdb,
    multi30k,
    penn_treebank,
    ptb_chars,
    ptb_words,
    sst2,
    tatoeba,
    tiny_shakespeare,
)
from tasks.recipes.ngrams import ngram_scores
from tasks.recipes.text_classifiers import frequent_label_baseline
from tasks.translation import Translator

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

VERSES = "to be or not to be, that is the question;\nwhether tis nobler\n" * 40


def arguments(recipe, folder, *given):
    parser = argparse.ArgumentParser()
    recipe.add_arguments(parser)
    args = parser.parse_args(["--epochs", "1", *given])
    args.data_dir, args.output, args.seeds = folder / "data", folder / "out", [1, 2]
    return args


@pytest.fixture
def treebank(tmp_path):
    """A folder of data with a text in the manner of the Penn Treebank."""
    folder = tmp_path / "data" / "ptb"
    folder.mkdir(parents=True)
    lines = " the <unk> said it rose N % \n shares fell \n"
    for name, times in (("train", 60), ("valid", 5), ("test", 5)):
        (folder / f"ptb.{name}.txt").write_text(lines * times)
    return tmp_path / "data"


def test_a_sentence_of_the_treebank_is_a_line(treebank):
    parts = penn_treebank.read_parts(treebank)
    assert parts["dev"] == "the <unk> said it rose N %\nshares fell\n" * 5
    assert set(parts) == {"train", "dev", "test"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [ptb_chars, ptb_words])
def test_models_of_the_treebank_are_made(treebank, tmp_path, recipe, monkeypatch):
    small = {**recipe.OPTIONS, "units": 8, "embedding_dim": 4}
    monkeypatch.setattr(recipe, "OPTIONS", small)
    monkeypatch.setattr(recipe, "FIT", {"batch_size": 2, "chunk": 10})
    monkeypatch.setattr(recipe, "VARIANTS", {"full": {}})
    recipe.run(arguments(recipe, tmp_path))
    made = tmp_path / "out" / recipe.NAME
    card = zoo.card(made)
    assert card.data["metrics"][recipe.SCORE]["seeds"] == [1, 2]
    text = penn_treebank.read_parts(treebank)["test"]
    scores = card.data["metrics"]["loss"]["values"]
    found = zoo.load(made).evaluate(text)["loss"]
    assert min(abs(found - value) for value in scores) < 0.02  # half precision


@pytest.mark.slow
def test_a_language_model_is_made_from_its_text(tmp_path, monkeypatch):
    small = {"units": 8, "embedding_dim": 4, "layer_options": {}}
    monkeypatch.setattr(tiny_shakespeare, "OPTIONS", small)
    monkeypatch.setattr(tiny_shakespeare, "FIT", {"batch_size": 4, "chunk": 20})
    variants = {"full": {}, "GRU": {"layer": "gru"}}
    monkeypatch.setattr(tiny_shakespeare, "VARIANTS", variants)
    folder = tmp_path / "data" / "tiny_shakespeare"
    folder.mkdir(parents=True)
    (folder / "input.txt").write_text(VERSES)
    args = arguments(tiny_shakespeare, tmp_path)
    tiny_shakespeare.run(args)
    made = tmp_path / "out" / tiny_shakespeare.NAME
    model, card = zoo.load(made), zoo.card(made)
    test = tiny_shakespeare.split(VERSES)["test"]
    wanted = card.data["metrics"]["bits_per_character"]["values"]
    found = model.evaluate(test)["bits_per_character"]
    assert min(abs(found - value) for value in wanted) < 0.01  # half precision
    assert card.data["baseline"]["bits_per_character"] < found  # hardly trained
    assert "| full |" in str(card) and "| GRU |" in str(card)
    assert "{" not in str(card).split("---")[2]
    # Finished runs are not repeated.
    before = (tmp_path / "out" / "runs" / "results.json").read_text()
    tiny_shakespeare.run(args)
    assert (tmp_path / "out" / "runs" / "results.json").read_text() == before


def test_parts_of_the_text_follow_each_other():
    parts = tiny_shakespeare.split(VERSES)
    assert "".join(parts.values()) == VERSES
    assert len(parts["train"]) == pytest.approx(0.9 * len(VERSES), abs=1)
    assert len(parts["test"]) == pytest.approx(0.05 * len(VERSES), abs=1)


def test_each_variant_of_a_recipe_can_be_built():
    from tasks.language_modeling import LanguageModel
    from tasks.text_classification import TextClassifier

    for variant in tiny_shakespeare.VARIANTS.values():
        options = {**tiny_shakespeare.OPTIONS, **variant, "units": 4}
        LanguageModel.for_text("abc", **options)
    data = [("good film", "negative"), ("bad film", "positive")]
    for recipe in (sst2, imdb):
        for variant in recipe.VARIANTS.values():
            options = {**recipe.OPTIONS, **variant.options, "units": 4}
            TextClassifier.for_data(data, **options)


@pytest.mark.parametrize("recipe", [multi30k, tatoeba], ids=lambda r: r.NAME)
def test_each_variant_of_a_translator_can_be_built(recipe):
    pairs = [("a dog runs", "ein Hund rennt"), ("a cat sits", "eine Katze sitzt")]
    for variant in recipe.VARIANTS.values():
        options = {**recipe.OPTIONS, **variant, "units": 4, "vocabulary_size": 40}
        Translator.for_data(pairs, **options)


def test_no_english_sentence_is_in_two_parts():
    pairs = [(f"sentence {i // 2}", f"Satz {i}") for i in range(12_000)]
    parts = tatoeba.split(pairs)
    sources = {name: {source for source, _ in part} for name, part in parts.items()}
    assert len(parts["test"]) == len(parts["dev"]) == tatoeba.HELD_OUT
    assert len(parts["train"]) == 2 * len(sources["train"]) == 4000
    assert (
        not sources["train"] & sources["dev"] and not sources["dev"] & sources["test"]
    )
    assert not sources["train"] & sources["test"]
    assert (
        tatoeba.split(pairs[::-1])["test"] != []
        and {source for source, _ in tatoeba.split(pairs[::-1])["test"]}
        == sources["test"]
    )


def test_passages_keep_every_word_and_the_label():
    tokens = "One . Two three ! Four".split()
    found = film_reviews.passages([(tokens, "positive")], most=3)
    assert [t for part, _ in found for t in part] == tokens
    assert {label for _, label in found} == {"positive"} and len(found) > 1
    assert all(len(part) <= 3 for part, _ in found)


def test_reviews_are_read_with_their_labels(tmp_path):
    path = tmp_path / "train.tsv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("neg\t0_3\tBad.<br /><br />Really\npos\t1_9\tGood\tfilm\n")
    assert film_reviews.read_reviews(path) == [
        (["Bad", ".", "Really"], "negative"),
        (["Good", "film"], "positive"),
    ]


@pytest.fixture
def reviews(tmp_path):
    """A folder of data with films that were liked and films that were not."""
    folder, random = tmp_path / "data", np.random.default_rng(0)
    (folder / "imdb").mkdir(parents=True)
    words = {"neg": ["bad", "dull"], "pos": ["good", "fine"]}

    def said(kind):
        return f"The {random.choice(words[kind])} film . I saw it twice ."

    for part in ("train", "test"):
        with gzip.open(folder / "imdb" / f"{part}.tsv.gz", "wt") as file:
            for number in range(60):
                kind = ("neg", "pos")[number % 2]
                file.write(f"{kind}\t{number}\t{said(kind)}\n")
    (folder / "vectors.txt").write_text("good 1 0 1 0\nbad 0 1 0 1\nsaw 0 1 1 1\n")
    return folder


@pytest.mark.slow
def test_a_classifier_of_reviews_is_made_from_nothing(reviews, tmp_path, monkeypatch):
    name, small = "forwards, from a language model", {"units": 6, "embedding_dim": 4}
    variants = {
        key: imdb.VARIANTS[key]._replace(
            options={**imdb.VARIANTS[key].options, **small}
        )
        for key in ("full", name)
    }
    monkeypatch.setattr(imdb, "VARIANTS", variants)
    monkeypatch.setattr(film_reviews, "HELD_OUT", 12)
    of_words = {**imdb.LANGUAGE_MODEL, **small, "sampled": 4}
    monkeypatch.setattr(imdb, "LANGUAGE_MODEL", of_words)
    few = {**imdb.LANGUAGE_MODEL_FIT, "batch_size": 4, "verbose": 0}
    monkeypatch.setattr(imdb, "LANGUAGE_MODEL_FIT", few)
    given = ["--vectors", str(reviews / "vectors.txt"), "--language-model-epochs", "1"]
    args = arguments(imdb, tmp_path, *given)
    args.seeds, args.epochs, args.learning_rate = [1], 10, 0.05
    imdb.run(args)
    made, card = (f(tmp_path / "out" / imdb.NAME) for f in (zoo.load, zoo.card))
    assert made.options["max_tokens"] == imdb.READS > imdb.OPTIONS["max_tokens"]
    assert made.predict("The good film .").label == "positive"
    assert card.data["metrics"]["accuracy"]["mean"] == 1
    assert "| full |" in str(card) and f"| {name} |" in str(card)
    # What a variant starts from has read the training reviews.
    model = zoo.load(tmp_path / "out" / "language_model" / "preset")
    assert "film" in model.tokenizer.vocabulary
    start = imdb.start(args, variants[name], film_reviews.split_reviews(reviews))
    ours, theirs = (
        task.model.get_layer("encoder").get_weights() for task in (start, model)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_unigrams_are_counted_by_hand():
    train, test = np.array([2, 2, 2, 3]), np.array([2, 3, 4])
    counts, kinds, size = Counter(train.tolist()), 2, 5
    chances = [(counts[i] + kinds / size) / (4 + kinds) for i in test.tolist()]
    found = ngram_scores(train, test, 1, size, characters=6)
    assert found["perplexity"] == pytest.approx(np.exp(-np.mean(np.log(chances))))
    bits = -np.sum(np.log2(chances))
    assert found["bits_per_character"] == pytest.approx(bits / 6)


def test_chances_of_ngrams_sum_to_one():
    train = np.random.default_rng(0).integers(2, 7, 60)
    for order in (1, 2, 3):
        # What follows the training text, whatever it is.
        each = [ngram_scores(train, np.array([i]), order, 7, 1) for i in range(7)]
        assert sum(1 / s["perplexity"] for s in each) == pytest.approx(1)


def test_longer_ngrams_know_a_rhyme_better():
    ids = np.array([ord(c) % 64 for c in VERSES])
    scores = [
        ngram_scores(ids[:2000], ids[2000:], n, 64, len(ids) - 2000)["perplexity"]
        for n in (1, 2, 4)
    ]
    assert scores[0] > scores[1] > scores[2] > 1


def test_the_frequent_label_is_the_baseline():
    train = [("", "a")] * 3 + [("", "b")]
    scores = frequent_label_baseline(train, [("", "a"), ("", "b")], ["a", "b"])
    assert scores["accuracy"] == 0.5
    assert scores["loss"] == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
