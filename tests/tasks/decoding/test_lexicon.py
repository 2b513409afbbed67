"""Searches that write nothing but words of a lexicon, against all paths."""

import keras
import numpy as np
import pytest

from tasks.data.spelling import Speller
from tasks.data.vocabulary import Vocabulary
from tasks.decoding.ctc import PrefixSearch
from tasks.decoding.lexicon import Lexicon
from tests.tasks.decoding.test_ctc import decoded, exhaustive, full, log_probabilities

SPACE, A, B = 2, 3, 4
# Begins like another, ends like another, and has a letter twice.
WORDS = ((A,), (A, B), (B, B))
LEXICON = Lexicon(WORDS, SPACE, 5)


def possible(text):
    """Whether a text is words with single spaces between; one may come last."""
    words, word = [], ()
    for label in (*text, SPACE):
        if label == SPACE:
            words.append(word)
            word = ()
        else:
            word += (label,)
    if len(words) > 1 and not words[-1]:
        words.pop()  # after a last space
    return text == () or all(word in WORDS for word in words)


def test_a_wide_search_finds_all_texts_of_the_words_and_no_others():
    x = log_probabilities(4, 6, 5)
    for row, everything in enumerate(map(exhaustive, x)):
        wanted = {t: score for t, score in everything.items() if possible(t)}
        found = decoded(PrefixSearch(300, lexicon=LEXICON), x).ranked(row)
        assert {tuple(ids) for ids, _ in found} == set(wanted)
        assert 10 < len(wanted) < len(everything) / 4
        for ids, score in found:
            assert score == pytest.approx(wanted[tuple(ids)], abs=1e-4)
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("width", [2, 3, 8])
def test_a_narrow_search_ends_with_whole_words(width):
    x = log_probabilities(30, 14, 5, seed=1, scale=4)
    found = decoded(PrefixSearch(width, lexicon=LEXICON), x)
    texts = [tuple(ids) for row in range(30) for ids, _ in found.ranked(row)]
    assert all(map(possible, texts))
    assert len({found.ranked(row)[0][0].__str__() for row in range(30)}) > 10


def test_where_no_word_is_finished_what_was_whole_before_is_found():
    # "a", a space, and then a "b" that nothing follows.
    x = np.full((1, 6, 5), -20.0, "float32")
    for step, label in enumerate((A, 0, SPACE, B, 0, 0)):
        x[0, step, label] = -1e-3
    assert decoded(PrefixSearch(2), x).ranked(0)[0][0] == [A, SPACE, B]
    ids, _ = decoded(PrefixSearch(2, lexicon=LEXICON), x).ranked(0)[0]
    assert possible(tuple(ids)) and ids[0] == A


def test_with_all_words_of_two_letters_a_lexicon_changes_only_the_longer():
    words = tuple((a, b) for a in (A, B) for b in (A, B)) + ((A,), (B,))
    x = log_probabilities(5, 3, 5, seed=2)
    free = decoded(PrefixSearch(200), x)
    held = decoded(PrefixSearch(200, lexicon=Lexicon(words, SPACE, 5)), x)
    for row in range(5):
        mine = dict((tuple(ids), score) for ids, score in held.ranked(row))
        theirs = dict((tuple(ids), score) for ids, score in free.ranked(row))
        assert mine.items() <= theirs.items() and (A, B) in mine


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="for its graphs")
def test_a_graph_takes_any_number_of_rows_and_steps():
    import tensorflow as tf

    how = PrefixSearch(3, lexicon=LEXICON)
    takes = [tf.TensorSpec([None, None, 5]), tf.TensorSpec([None, None], "bool")]
    run = tf.function(how.search, input_signature=takes, autograph=False)
    for rows, time in ((1, 4), (3, 9), (2, 1)):
        x = log_probabilities(rows, time, 5)
        found = run(tf.constant(x), tf.constant(full(x)))
        np.testing.assert_array_equal(found.tokens.numpy(), decoded(how, x).tokens)


def test_equal_lexicons_are_one():
    speller = Speller(Vocabulary([" ", "a", "b"]))
    one, other = (
        Lexicon.of(w, speller) for w in (["bb", "a", "ab"], ["a", "ab", "bb"])
    )
    assert (
        one == other and hash(one) == hash(other) and one != LEXICON.of(["a"], speller)
    )
    assert one == LEXICON and PrefixSearch(4, lexicon=one) == PrefixSearch(
        4, True, other
    )


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        ([], ValueError, "empty"),
        ("ab", TypeError, "list of words"),
        ([1], TypeError, "strings. Received: 1"),
        (["a b"], ValueError, "single words, not 'a b'"),
        (["a", ""], ValueError, "single words, not ''"),
        (["a", "bad"], ValueError, "'bad' with 'd'; this recognizer writes ' ab'"),
    ],
)
def test_what_is_no_lexicon_is_refused(words, error, told):
    with pytest.raises(error, match=told):
        Lexicon.of(words, Speller(Vocabulary([" ", "a", "b"])))


def test_one_beginning_is_not_enough_for_words():
    with pytest.raises(ValueError, match="`width` must be 2 or more, not 1"):
        PrefixSearch(1, lexicon=LEXICON)
    with pytest.raises(ValueError, match="needs words"):
        Lexicon(((A, SPACE),), SPACE, 5)
