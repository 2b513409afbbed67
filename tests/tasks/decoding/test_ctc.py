"""Decoding of CTC: against all paths, and each way against the other."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tasks.decoding.compiled import compiled
from tasks.decoding.ctc import PathSearch, PrefixSearch


def log_probabilities(rows, time, labels, seed=0, scale=1.5):
    random = np.random.default_rng(seed)
    x = scale * random.normal(size=(rows, time, labels))
    x[..., 1] = -30  # the unknown token
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype("float32")


def full(x):
    return np.ones(x.shape[:2], bool)


def decoded(how, x, mask=None):
    mask = full(x) if mask is None else mask
    return how.search(*map(ops.convert_to_tensor, (x, mask))).as_arrays()


def text_of(path):
    return tuple(label for label, _ in itertools.groupby(path) if label)


def exhaustive(x):
    """Log-probability of every text of one row, summed over its paths in float64."""
    found = {}
    labels = [label for label in range(x.shape[1]) if label != 1]
    for path in itertools.product(labels, repeat=len(x)):
        chance = np.exp(sum(float(x[t, label]) for t, label in enumerate(path)))
        found[text_of(path)] = found.get(text_of(path), 0.0) + chance
    return {text: np.log(chance) for text, chance in found.items()}


def greedy(x, mask):
    """The textbook's: likeliest labels, repeats joined, blanks dropped."""
    return text_of(x[mask].argmax(-1).tolist())


def test_a_wide_search_finds_all_texts_with_the_sum_of_their_paths():
    x = log_probabilities(3, 5, 4)
    for row, wanted in enumerate(map(exhaustive, x)):
        found = decoded(PrefixSearch(200), x).ranked(row)
        assert len(found) == len(wanted)
        assert {tuple(ids) for ids, _ in found} == set(wanted)
        for ids, score in found:
            assert score == pytest.approx(wanted[tuple(ids)], abs=1e-4)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)


def test_no_text_comes_twice_and_no_search_finds_more_than_there_is():
    x = log_probabilities(8, 12, 5, seed=3)
    for row, ranked in enumerate(map(decoded(PrefixSearch(6), x).ranked, range(8))):
        texts = [tuple(ids) for ids, _ in ranked]
        assert len(set(texts)) == len(texts) == 6
        assert np.exp([score for _, score in ranked]).sum() < 1, row


def test_the_likeliest_text_is_not_that_of_the_likeliest_path():
    # Twice 0.6 for a blank is 0.36, "a" is all the rest.
    x = np.log(np.array([[[0.6, 1e-9, 0.4], [0.6, 1e-9, 0.4]]], "float32"))
    assert decoded(PathSearch(), x).ranked(0)[0][0] == []
    ids, score = decoded(PrefixSearch(4), x).ranked(0)[0]
    assert ids == [2] and np.exp(score) == pytest.approx(0.64, abs=1e-5)


@pytest.mark.parametrize("how", [PathSearch(), PrefixSearch(1, merge=False)], ids=str)
def test_the_likeliest_path_is_the_textbooks(how):
    x = log_probabilities(20, 15, 5, seed=1, scale=3)
    mask = np.random.default_rng(0).random((20, 15)) < 0.7
    mask[0] = False
    found = decoded(how, x, mask)
    for row in range(20):
        ((ids, score),) = found.ranked(row)
        assert tuple(ids) == greedy(x[row], mask[row])
        wanted = x[row][mask[row]].max(-1).sum()
        assert score == pytest.approx(wanted, abs=1e-4)


def test_where_the_model_is_sure_all_ways_agree():
    x = log_probabilities(10, 20, 6, seed=2, scale=40)
    assert np.exp(x.max(-1)).min() > 0.5
    wanted = [decoded(PathSearch(), x).ranked(row)[0][0] for row in range(10)]
    for width in (1, 7):
        found = decoded(PrefixSearch(width), x)
        assert [found.ranked(row)[0][0] for row in range(10)] == wanted


def test_a_wider_search_is_never_worse_on_these():
    x = log_probabilities(10, 12, 5, seed=5)
    scores = [decoded(PrefixSearch(w), x).scores[:, 0] for w in (1, 4, 16, 64)]
    for narrow, wide in itertools.pairwise(scores):
        assert (wide >= narrow - 1e-4).all()
    assert (scores[-1] > scores[0] + 0.1).any()


@pytest.mark.parametrize("how", [PathSearch(), PrefixSearch(5)], ids=str)
def test_skipped_steps_are_as_if_not_there(how):
    x = log_probabilities(1, 8, 5, seed=4)
    wide = np.full((1, 14, 5), 55.0, "float32")
    places = [1, 2, 4, 5, 6, 9, 10, 12]
    wide[:, places] = x
    mask = np.zeros((1, 14), bool)
    mask[:, places] = True
    plain, padded = decoded(how, x), decoded(how, wide, mask)
    assert padded.ranked(0) == plain.ranked(0)
    np.testing.assert_array_equal(padded.tokens[:, :, places], plain.tokens)
    assert not padded.tokens[:, :, ~mask[0]].any()


@pytest.mark.parametrize("how", [PathSearch(), PrefixSearch(5)], ids=str)
def test_compiled_is_as_run_at_once(how):
    x = log_probabilities(4, 9, 5, seed=6)
    mask = full(x)
    mask[1, 5:] = False
    run = compiled(how.search, [])
    found = run(*map(ops.convert_to_tensor, (x, mask))).as_arrays()
    plain = decoded(how, x, mask)
    np.testing.assert_array_equal(found.tokens, plain.tokens)
    np.testing.assert_allclose(found.scores, plain.scores, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="for its graphs")
def test_a_graph_takes_any_number_of_rows_and_steps():
    import tensorflow as tf

    takes = [tf.TensorSpec([None, None, 5]), tf.TensorSpec([None, None], "bool")]
    run = tf.function(PrefixSearch(3).search, input_signature=takes, autograph=False)
    for rows, time in ((1, 4), (3, 9), (2, 1)):
        x = log_probabilities(rows, time, 5)
        plain = decoded(PrefixSearch(3), x)
        found = run(tf.constant(x), tf.constant(full(x)))
        np.testing.assert_array_equal(found.tokens.numpy(), plain.tokens)


def test_nothing_heard_is_the_empty_text():
    x = log_probabilities(2, 3, 5)
    for how in (PathSearch(), PrefixSearch(3)):
        found = decoded(how, x, np.zeros((2, 3), bool))
        assert found.ranked(0) == [([], 0.0)]


@pytest.mark.parametrize("width", [0, -1, 2.0, True])
def test_a_width_must_be_a_positive_integer(width):
    with pytest.raises(ValueError, match="width"):
        PrefixSearch(width)
