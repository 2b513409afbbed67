"""Error rates of transcripts, against counts by hand and jiwer."""

import numpy as np
import pytest

from tasks.metrics.speech import edit_distance, transcript_scores

DISTANCES = [
    ("", "", 0),
    ("", "abc", 3),
    ("abc", "", 3),
    ("kitten", "sitting", 3),
    ("saturday", "sunday", 3),
    ("abcd", "bcda", 2),
    ("aaaa", "bbbb", 4),
    ("xabxcdxxefxgx", "1ab2cd34ef5g6", 6),
]


@pytest.mark.parametrize("one, other, wanted", DISTANCES)
def test_distances_that_are_known(one, other, wanted):
    assert edit_distance(one, other) == edit_distance(other, one) == wanted
    assert edit_distance(list(one), list(other)) == wanted


def recursive(one, other):
    """The definition, cell by cell."""
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0] = range(len(one) + 1), range(len(other) + 1)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)
            )
    return table[-1, -1]


def sentences(count, seed):
    random = np.random.default_rng(seed)
    words = "one two three four five".split()
    return [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(count)]


def test_distances_are_the_definitions():
    for one, other in zip(sentences(40, 0), sentences(40, 1), strict=True):
        assert edit_distance(one, other) == recursive(one, other)


def test_rates_are_edits_by_what_was_said():
    scores = transcript_scores(["a b", "x"], ["a c d", ""])
    # One word wrong, one missing, one too much; of three.
    assert scores["wer"] == pytest.approx(3 / 3)
    # "a b" for "a c d": 3 edits; "x" for nothing: 1; of 5 characters.
    assert scores["cer"] == pytest.approx(4 / 5)
    assert transcript_scores(["a  b "], ["a b"]) == {"wer": 0.0, "cer": 0.0}


def test_silence_is_right_or_wrong():
    assert transcript_scores([""], [""]) == {"wer": 0.0, "cer": 0.0}
    assert transcript_scores(["a", ""], ["", ""]) == {"wer": 1.0, "cer": 1.0}
    assert transcript_scores([""], ["a b"]) == {"wer": 1.0, "cer": 1.0}


def test_scores_are_those_of_jiwer():
    jiwer = pytest.importorskip("jiwer")
    found, said = sentences(50, 2), sentences(50, 3)
    scores = transcript_scores(found, said)
    assert scores["wer"] == pytest.approx(jiwer.wer(said, found), abs=1e-9)
    assert scores["cer"] == pytest.approx(jiwer.cer(said, found), abs=1e-9)


@pytest.mark.parametrize("found, said", [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_numbers_must_agree(found, said):
    with pytest.raises(ValueError, match="as many references as transcripts"):
        transcript_scores(found, said)
