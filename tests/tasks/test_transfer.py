"""Encoders that go from one task to another."""

import numpy as np
import pytest

import zoo
from tasks import transfer
from tasks.language_modeling import LanguageModel
from tasks.ner import NamedEntityTagger
from tasks.text_classification import TextClassifier

DATA = [("good film tonight", "yes"), ("bad film today", "no")]
SIZES = dict(layer="gru", units=3, embedding_dim=4)


def classifier(data=DATA, **options):
    return TextClassifier.for_data(data, **{**SIZES, **options})


def weights(task, layer):
    return task.model.get_layer(layer).get_weights()


def vector(task, word):
    row = task.features.words.ids([word])[0]
    return weights(task, "word_embedding")[0][row]


def test_words_go_by_the_word_and_layers_by_their_name():
    source = classifier()
    target = classifier([("good day", "a"), ("bad day", "b")])
    before, head = vector(target, "day"), weights(target, "logits")
    taken = transfer.take_encoder(target, source)
    assert {"word_embedding", "encoder", "pooling"} <= set(taken)
    np.testing.assert_array_equal(vector(target, "good"), vector(source, "good"))
    np.testing.assert_array_equal(vector(target, "day"), before)
    for ours, theirs in zip(
        weights(target, "encoder"), weights(source, "encoder"), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    for ours, old in zip(weights(target, "logits"), head, strict=True):
        np.testing.assert_array_equal(ours, old)


def test_a_language_model_becomes_the_forward_direction():
    source = LanguageModel.for_text("good film , bad film", level="word", **SIZES)
    target = classifier()
    backwards = target.model.get_layer("encoder").layers[0].backward_layer.get_weights()
    transfer.take_encoder(target, source)
    both = target.model.get_layer("encoder").layers[0]
    theirs = source.model.get_layer("encoder").layers[0].get_weights()
    for ours, other in zip(both.forward_layer.get_weights(), theirs, strict=True):
        np.testing.assert_array_equal(ours, other)
    for ours, old in zip(both.backward_layer.get_weights(), backwards, strict=True):
        np.testing.assert_array_equal(ours, old)
    row = source.tokenizer.vocabulary.ids(["film"])[0]
    table = weights(source, "token_embedding")[0]
    np.testing.assert_array_equal(vector(target, "film"), table[row])


def test_load_takes_the_encoder_of_a_saved_task(tmp_path):
    source, target = classifier(), classifier()
    source.save(tmp_path / "source")
    target.save(tmp_path / "target")
    loaded = zoo.load(tmp_path / "target", encoder=tmp_path / "source")
    for layer, giver in (("encoder", source), ("logits", target)):
        for ours, theirs in zip(
            weights(loaded, layer), weights(giver, layer), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_what_fits_nowhere_is_refused():
    source = classifier(units=5, embedding_dim=6, pooling="mean")
    with pytest.raises(ValueError, match="No layer of TextClassifier has the name"):
        transfer.take_encoder(classifier(pooling="mean"), source)


def test_without_a_word_in_common_vectors_stay():
    source = LanguageModel.for_text("neither here", level="word", **SIZES)
    target = classifier()
    before = weights(target, "word_embedding")[0]
    assert transfer.take_encoder(target, source) == ["encoder"]
    np.testing.assert_array_equal(weights(target, "word_embedding")[0], before)


def test_text_as_read_has_the_words_of_a_classifier():
    text = "Good films, in 1999: don\u2019t miss https://a.org/b!"
    target = TextClassifier.for_data([(text, "a"), (text, "b")], **SIZES)
    source = LanguageModel.for_text(transfer.as_read(text), level="word", **SIZES)
    assert set(transfer.words_of(target)) == set(transfer.words_of(source))
    assert "good" in transfer.words_of(source)
    tokens = ["Good", "films"]
    assert transfer.as_read(tokens) == "good films"


def test_a_model_of_characters_has_no_words():
    source = LanguageModel.for_text("good film", **SIZES)
    with pytest.raises(ValueError, match="encoder over words"):
        transfer.take_encoder(classifier(), source)


def test_a_tagger_takes_the_vectors_of_a_classifier():
    source = classifier(embedding_dim=4)
    features = source.features
    tagger = NamedEntityTagger(
        ["X"], features.words, features.characters, units=3, embedding_dim=4
    )
    assert transfer.take_encoder(tagger, source) == ["word_embedding"]
    np.testing.assert_array_equal(vector(tagger, "film"), vector(source, "film"))


@pytest.mark.parametrize("giver", ["a language model", "a classifier"])
def test_a_tagger_takes_the_layer_of_another_task(giver):
    if giver == "a classifier":
        source = classifier()
        theirs = source.model.get_layer("encoder").layers[0].forward_layer
    else:
        source = LanguageModel.for_text("good film , bad film", level="word", **SIZES)
        theirs = source.model.get_layer("encoder").layers[0]
    words, characters = classifier().features.words, classifier().features.characters
    plain = dict(char_encoder=None, casing_dim=0)
    tagger = NamedEntityTagger(["X"], words, characters, **SIZES, **plain)
    assert transfer.take_encoder(tagger, source) == ["word_embedding", "encoder"]
    ours = tagger.model.get_layer("encoder").forward_layer
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_load_says_what_was_taken(tmp_path, capsys):
    classifier().save(tmp_path / "target")
    zoo.load(tmp_path / "target", encoder=classifier(units=5))
    said = capsys.readouterr().out
    assert "Taken from TextClassifier: word_embedding." in said
