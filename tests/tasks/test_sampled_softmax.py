"""The sampled softmax: what it tends to, and that models learn with it."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from tasks.data.vocabulary import UNKNOWN_ID
from tasks.language_modeling import LanguageModel
from tasks.losses import token_losses
from tasks.sampled_softmax import SampledLosses
from zoo.layers import TiedSoftmax

WORDS, FEATURES = 40, 6


def head(kind):
    keras.utils.set_random_seed(2)
    if kind == "dense":
        made = layers.Dense(WORDS, bias_initializer="random_normal")
    else:
        embedding = layers.Embedding(WORDS, 5 if kind == "projected" else FEATURES)
        made = TiedSoftmax(embedding, projection=kind == "projected")
    made.build((None, None, FEATURES))
    for weight in made.weights:
        weight.assign(weight * 4.0)
    return made


def data():
    random = np.random.default_rng(0)
    y = random.normal(size=(2, 3, FEATURES)).astype("float32")
    targets = random.integers(2, WORDS, (2, 3)).astype("int32")
    return y, targets, np.array([[True, True, False], [True, True, True]])


@pytest.mark.parametrize("kind", ["dense", "tied", "projected"])
def test_the_sum_tends_to_that_of_the_full_softmax(kind):
    made = head(kind)
    y, targets, mask = data()
    sampled = SampledLosses(made, WORDS, 37)
    each = [sampled(y, targets, mask=mask) for _ in range(300)]
    # It is the sum that is right on average: exp(loss) is its ratio to one term.
    found = np.log(np.mean(np.exp(each), 0)) * mask
    wanted = ops.convert_to_numpy(token_losses(made(y), targets, mask))
    np.testing.assert_allclose(found, wanted, atol=0.15)
    assert (found[~mask] == 0).all()


def test_draws_differ_and_follow_the_rank():
    sampled = SampledLosses(head("dense"), WORDS, 30)
    expected = ops.convert_to_numpy(sampled._expected(np.arange(WORDS - 2)))
    assert expected.sum() == pytest.approx(30, rel=1e-4)
    assert (np.diff(expected) < 0).all()
    y, targets, mask = data()
    first, second = (
        ops.convert_to_numpy(sampled(y, targets, mask=mask)) for _ in range(2)
    )
    assert np.abs(first - second).max() > 0


def test_reserved_ids_count_whatever_is_drawn():
    made = head("dense")
    bias = np.zeros(WORDS, "float32")
    bias[:2] = 30.0  # so likely that nothing else matters
    made.set_weights([np.zeros((FEATURES, WORDS), "float32"), bias])
    y, targets, mask = data()
    targets[0, 0] = 1
    losses = ops.convert_to_numpy(SampledLosses(made, WORDS, 5)(y, targets, mask=mask))
    wanted = np.where(targets == 1, math.log(2), math.log(2) + 30) * mask
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


@pytest.mark.slow
def test_unknown_words_do_not_become_the_likeliest():
    random = np.random.default_rng(0)
    text = " ".join(f"w{i}" for i in random.zipf(1.5, 4000) if i < 10_000)
    options = dict(level="word", min_count=4, units=8, embedding_dim=8, layer="gru")
    losses = {}
    for sampled in (0, 8):
        model = LanguageModel.for_text(text, sampled=sampled, **options)
        assert len(model.tokenizer) > 50
        unknown = (model.tokenizer.encode(text) == UNKNOWN_ID).mean()
        assert 0.02 < unknown < 0.3
        model.fit(text, epochs=8, batch_size=4, chunk=20, learning_rate=5e-3, verbose=0)
        losses[sampled] = model.evaluate(text)["loss"]
    # Words come by chance: no model knows more than how often each comes.
    assert abs(losses[8] - losses[0]) < 0.15


@pytest.mark.parametrize("count", [0, -1, WORDS - 2, WORDS])
def test_a_wrong_number_of_words_is_refused(count):
    with pytest.raises(ValueError, match="fewer words than there are, 38"):
        SampledLosses(head("dense"), WORDS, count)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_learns_with_it(tied):
    text = "one two three four five six seven eight nine ten . " * 60
    model = LanguageModel.for_text(
        text,
        level="word",
        sampled=4,
        tied=tied,
        layer="gru",
        units=16,
        embedding_dim=16,
    )
    before = model.evaluate(text)["perplexity"]
    model.fit(text, epochs=15, batch_size=4, chunk=20, learning_rate=0.02, verbose=0)
    assert model.evaluate(text)["perplexity"] < 1.5 < before
